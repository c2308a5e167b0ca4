import type { App } from '#server/app/app.ts'
import { wants } from '#server/app/subscriptions.ts'
import type { Transaction } from '#server/db/database.ts'
import { oweToEndpoints } from '#server/delivery/owe.ts'
import { AppError } from '#server/error.ts'
import { oweToPerson } from '#server/notification/owe.ts'
import { sealFor } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { catalogue, type EventType } from './catalogue.ts'
import { writePayload } from './payload.ts'
import { render } from './render.ts'
import { insertEvent, type EventRow } from './store.ts'
import { languageOf, subjectKey, subjectOf } from './subject.ts'
import { typesOf } from './types.ts'

/** The most that one event may weigh, in bytes of JSON. */
export const MOST_BYTES = 65_536

export type NewEvent = {
  app: App
  /** A key of the catalogue, or of the app's own types. */
  type: string
  /** Our user, if we know them. */
  userId?: number | undefined
  /** Whom the app knows them as; looked up when only `userId` is given. */
  user?: string | undefined
  content: Record<string, unknown>
  /** The same as it was written, where it comes from outside: that is what goes out. */
  contentText?: string | undefined
  /** As it goes out; otherwise now, in the type's unit. */
  time?: string | undefined
  locale?: string | undefined
  source?: EventRow['source']
}

/**
 * Records a fact inside the transaction that makes it one, with everything owed because of it: one row an endpoint that wants it, one a
 * channel to the person. What Gatehouse itself has to tell costs nothing while nobody wants it: no endpoint of the app that takes the type,
 * no channel that people are told over. Returns the event's row, or undefined when nobody wanted it.
 * @throws AppError payload_too_large
 */
export async function recordEvent(runtime: Runtime, tx: Transaction, event: NewEvent): Promise<number | undefined> {
  const { app, userId, source = 'system' } = event
  const subscriptions = app.subscriptions.filter(({ types }) => wants(types, event.type))
  if (source === 'system' && subscriptions.length === 0 && !reachesPeople(app, event.type)) return undefined
  const type = (await typesOf(runtime, tx, app)).get(event.type)
  if (!type) throw new AppError('invalid_request', `There is no event type ${event.type}`)

  const user = event.user ?? (userId === undefined ? '' : await subjectOf(runtime, tx, userId))
  const now = runtime.now()
  const texts = await textsOf(runtime, tx, type, event)
  const payload = writePayload({
    user,
    ...texts,
    op: type.op,
    time: event.time ?? timeOf(type, now),
    content: event.contentText ?? JSON.stringify(event.content),
  })
  if (Buffer.byteLength(payload) > MOST_BYTES)
    throw new AppError('payload_too_large', 'An event may weigh 64 KiB; send a reference to what is larger')
  const key = user === '' ? null : subjectKey(runtime, app.id, user)
  const id = await insertEvent(tx, {
    appId: app.id,
    type: type.key,
    userId: userId ?? null,
    subjectKey: key,
    payloadSealed: await sealFor(runtime, tx, userId ?? null, payload, 'events.payload'),
    source,
    createdAt: now,
  })
  await oweToEndpoints(runtime, tx, { eventId: id, subjectKey: key, now }, subscriptions)
  if (type.people && userId !== undefined)
    await oweToPerson(runtime, tx, { eventId: id, userId, app, group: type.group, now, texts })
  return id
}

function reachesPeople({ settings: { channels } }: App, type: string): boolean {
  return catalogue.get(type)?.people === true && (channels.inbox || channels.telegram || channels.email)
}

const timeOf = (type: EventType, now: Date) =>
  String(type.unit === 's' ? Math.floor(now.getTime() / 1000) : now.getTime())

async function textsOf(runtime: Runtime, tx: Transaction, type: EventType, event: NewEvent) {
  const { app, userId, locale } = event
  const several = Object.keys(type.templates).length > 1
  const own =
    several && locale === undefined && userId !== undefined ? await languageOf(runtime, tx, userId) : undefined
  return render(type, event.content, {
    locales: [locale, own, app.settings.email.locale],
    rewardName: app.settings.rewardName,
  })
}
