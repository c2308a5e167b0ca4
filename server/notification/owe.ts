import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { insertDelivery, type NewDelivery } from '#server/delivery/store.ts'
import type { Group } from '#server/event/catalogue.ts'
import type { Runtime } from '#server/runtime.ts'
import { addressOf, mailToPerson } from './mail.ts'
import { isWanted, type Channel, type Choices } from './preferences.ts'
import { findPreferences } from './store.ts'
import { telegramLane } from './telegramLane.ts'
import { whyNoTelegram } from './whyNoTelegram.ts'

export type OwedToPerson = {
  eventId: number
  userId: number
  app: App
  group: Group
  now: Date
  /** As rendered for the person, and in which language. */
  texts: { title: string; body: string; locale: string }
}

/**
 * Writes what an event makes us owe to the person it is about: one row for each channel that the app offers. What is not sent has a row
 * too, because "why was I not told?" is what people ask.
 */
export async function oweToPerson(runtime: Runtime, tx: Transaction, owed: OwedToPerson): Promise<void> {
  const { app, userId, now } = owed
  const { inbox, telegram, email } = app.settings.channels
  if (!inbox && !telegram && !email) return
  const preferences = await findPreferences(tx, userId)
  const choices = JSON.parse(preferences?.choices ?? '{}') as Choices
  const write = (channel: Channel, delivery: Partial<NewDelivery>) =>
    insertDelivery(tx, { eventId: owed.eventId, channel, status: 'skipped', finishedAt: now, ...delivery })
  const wanted = (channel: Channel) => isWanted(choices, owed.group, channel)

  if (inbox) {
    await write('inbox', wanted('inbox') ? { status: 'delivered', reason: 'ok' } : { reason: 'preference' })
    runtime.outbox.tell(userId)
  }
  if (telegram) {
    const reason = wanted('telegram') ? await whyNoTelegram(tx, app, userId, preferences) : 'preference'
    if (reason !== undefined) await write('telegram', { reason })
    else {
      const lane = telegramLane(app.id)
      await write('telegram', { status: 'pending', nextAt: now, lane, finishedAt: null })
      runtime.outbox.wake(lane)
    }
  }
  if (email) {
    const to = wanted('email') ? await addressOf(runtime, tx, app, userId) : { reason: 'preference' }
    if ('reason' in to) await write('email', to)
    else {
      const deliveryId = await write('email', { status: 'pending', nextAt: now, finishedAt: null })
      await mailToPerson(runtime, tx, { ...owed, to: to.address, deliveryId })
    }
  }
}
