import type { App } from '#server/app/app.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { localeOf } from '#server/email/kinds.ts'
import { renderNotice, type Notice } from '#server/email/notice.ts'
import { queueNotice } from '#server/email/queueNotice.ts'
import { senderOf } from '#server/email/sender.ts'
import type { Group } from '#server/event/catalogue.ts'
import { findProfile } from '#server/event/store.ts'
import { openProfile } from '#server/identity/findOrCreate.ts'
import { isVouched } from '#server/identity/vouched.ts'
import type { Keeper } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'

/** Where a person's mails go: only to an address that a login vouches for, because what somebody wrote down may be another's. */
export async function addressOf(
  keeper: Keeper,
  db: Reader,
  app: App,
  userId: number,
): Promise<{ address: string } | { reason: string }> {
  const profile = await openProfile(keeper, db, (await findProfile(db, userId))?.profileSealed ?? null)
  if (profile.email === undefined) return { reason: 'no_email' }
  return isVouched(app, profile) ? { address: profile.email } : { reason: 'email_unverified' }
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
  const notice = noticeOf({ ...texts, group })
  await queueNotice(runtime, tx, { app, userId, deliveryId, to, kind: 'event', locale: texts.locale, notice })
}

type Texts = { title: string; body: string; group: Group }

const noticeOf = ({ title, body, group }: Texts): Notice => ({
  to: 'person',
  heading: title,
  lines: body.split('\n').filter((line) => line.trim() !== ''),
  group,
})

/** The mail as it would be, for nobody: its link to stop such mails leads nowhere. */
export function previewMail(runtime: Runtime, app: App, { locale, ...texts }: Texts & { locale: string }) {
  const about = { locale: localeOf(locale, app.settings.email.locale), at: runtime.now(), userId: 0 }
  const { rendered } = renderNotice(runtime, app, noticeOf(texts), about)
  const { name, address } = senderOf(runtime, app)
  return { from: `${name} <${address}>`, subject: rendered.subject, html: rendered.html, text: rendered.text }
}
