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
  if (row.status === 'queued' || row.status === 'sending')
    throw new AppError('conflict', 'This mail is still on its way; it is sent again only after that')
  if (row.wipedAt || (row.expiresAt && row.expiresAt <= at) || !row.variablesSealed)
    throw new AppError('gone', 'Its code is over; the person has to ask for a new one')
  if (row.reason === 'address_invalid')
    throw new AppError('conflict', 'This is not a mail address; it would fail again')
  return runtime.db.transaction(async (tx) => {
    const id = await insertEmail(tx, {
      appId: row.appId,
      userId: row.userId,
      kind: row.kind,
      locale: row.locale,
      toHash: row.toHash,
      toSealed: row.toSealed,
      variablesSealed: row.variablesSealed,
      draftSealed: row.draftSealed,
      status: 'queued',
      nextAt: at,
      resendOf: row.id,
      deliveryId: row.deliveryId,
      createdAt: at,
      expiresAt: row.expiresAt,
    })
    if (row.deliveryId !== null)
      await noteMail(runtime, tx, row.deliveryId, { status: 'pending', reason: null, nextAt: at, finishedAt: null })
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
