import type { Transaction } from '#server/db/database.ts'
import { noteMail } from '#server/delivery/noteMail.ts'
import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { insertEmail, type EmailRow } from './store.ts'

/**
 * Sends a mail again, as a new one with a message id of its own. One that is still on its way is not doubled, and one whose code is over would only
 * confuse. @returns the new row's number
 * @throws AppError conflict, gone
 */
export async function resendEmail(runtime: Runtime, actor: Actor, row: EmailRow): Promise<number> {
  const at = runtime.now()
  const refusal = refusalOf(row, at)
  if (refusal) throw refusal
  return runtime.db.transaction(async (tx) => {
    const id = await resendIn(runtime, tx, row)
    await recordAudit(tx, {
      at,
      actor,
      action: 'email.resend',
      appId: row.appId,
      target: { kind: 'email', id: row.id, label: row.kind },
      after: { sentAs: runtime.vault.ids.seal('eml', id) },
    })
    return id
  })
}

/** Whether `resendIn` may be called for a mail. */
export const isResendable = (row: EmailRow, now: Date): boolean => refusalOf(row, now) === undefined

function refusalOf(row: EmailRow, now: Date): AppError | undefined {
  if (row.status === 'queued' || row.status === 'sending')
    return new AppError('conflict', 'This mail is still on its way; it is sent again only after that')
  if (row.wipedAt || (row.expiresAt && row.expiresAt <= now) || !row.variablesSealed)
    return new AppError('gone', 'Its code is over; the person has to ask for a new one')
  if (row.reason === 'address_invalid')
    return new AppError('conflict', 'This is not a mail address; it would fail again')
  return undefined
}

/** Queues a mail once more, and says so in the log of what it tells of. @returns the new row's number */
export async function resendIn(runtime: Runtime, tx: Transaction, row: EmailRow): Promise<number> {
  const { appId, userId, kind, locale, toHash, toSealed, variablesSealed, draftSealed, deliveryId, expiresAt } = row
  const at = runtime.now()
  const id = await insertEmail(tx, {
    ...{ appId, userId, kind, locale, toHash, toSealed, variablesSealed, draftSealed, deliveryId, expiresAt },
    ...{ status: 'queued', nextAt: at, resendOf: row.id, createdAt: at },
  })
  if (deliveryId !== null)
    await noteMail(runtime, tx, deliveryId, { status: 'pending', reason: null, nextAt: at, finishedAt: null })
  return id
}
