import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { sealerOf } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { parseAddress } from './address.ts'
import { localeOf, type NoticeKind } from './kinds.ts'
import type { Notice } from './notice.ts'
import { addressee } from './queue.ts'
import { insertEmail } from './store.ts'

export type NewNotice = {
  app: App
  kind: NoticeKind
  notice: Notice
  to: string
  /** A BCP 47 tag; otherwise the app's language. */
  locale?: string | undefined
  userId?: number
  /** The delivery that this mail is: what becomes of it is written there too. */
  deliveryId?: number
}

/**
 * Writes a notice into the outbox of mails, inside the transaction of what it tells of. What is no address makes a row that failed, never an error: a mail
 * must not undo what it tells of. @returns the row's number
 */
export async function queueNotice(runtime: Runtime, tx: Transaction, mail: NewNotice): Promise<number> {
  const { app, kind, notice, userId = null, deliveryId = null } = mail
  const now = runtime.now()
  const address = parseAddress(mail.to)
  const seal = await sealerOf(runtime, tx, userId)
  return insertEmail(tx, {
    ...{ appId: app.id, userId, deliveryId, kind },
    locale: localeOf(mail.locale, app.settings.email.locale),
    ...addressee(runtime, address ?? mail.to, seal),
    variablesSealed: seal(JSON.stringify(notice), 'emails.variables'),
    createdAt: now,
    ...(address
      ? { status: 'queued', nextAt: now }
      : { status: 'failed', reason: 'address_invalid', detail: 'This is not a mail address', finishedAt: now }),
  })
}
