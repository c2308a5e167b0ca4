import type { App } from '#server/app/app.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { queueNotice } from '#server/email/queueNotice.ts'
import type { Group } from '#server/event/catalogue.ts'
import { findProfile } from '#server/event/store.ts'
import { openProfile } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'

/** Where a person's mails go: only to an address that a login vouches for, because what somebody wrote down may be another's. */
export async function addressOf(
  { vault }: Pick<Runtime, 'vault'>,
  db: Reader,
  userId: number,
): Promise<{ address: string } | { reason: string }> {
  const { email, emailVerified } = openProfile(vault, (await findProfile(db, userId))?.profileSealed ?? null)
  if (email === undefined) return { reason: 'no_email' }
  return emailVerified === true ? { address: email } : { reason: 'email_unverified' }
}

type Told = {
  app: App
  userId: number
  group: Group
  texts: { title: string; body: string; locale: string }
  to: string
  deliveryId: number
}

/** Hands a notification over to the outbox of mails, which sends it, tries again and says in the log what became of it. */
export async function mailToPerson(runtime: Runtime, tx: Transaction, told: Told): Promise<void> {
  const { app, userId, group, texts, to, deliveryId } = told
  const lines = texts.body.split('\n').filter((line) => line.trim() !== '')
  await queueNotice(runtime, tx, {
    ...{ app, userId, deliveryId, to, kind: 'event', locale: texts.locale },
    notice: { to: 'person', heading: texts.title, lines, group },
  })
}
