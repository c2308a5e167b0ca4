import { appIn } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { said } from './said.ts'
import { tellOfDelivery } from './settle.ts'
import { insertAttempt, updateGone, type EmailRow } from './store.ts'
import { suppress } from './suppress.ts'
import { verdictOf } from './verdict.ts'

/** What became of the report of a bounce; `known` when it had been told before. */
export type Bounced = 'bounced' | 'failed' | 'known'

/**
 * Takes note that a mail which the server had taken came back: a bad address gets no more mail and the app is told, one that cannot be reached rests for a week, and a mail that was
 * not wanted says nothing of its address. Once a mail, however often it is reported.
 * @throws AppError conflict for a mail that has not left, invalid_request for a status that is no failure
 */
export async function noteBounce(
  runtime: Runtime,
  actor: Actor,
  row: EmailRow,
  report: { status: string; detail: string },
): Promise<Bounced> {
  const verdict = verdictOf(report.status)
  if (!verdict)
    throw new AppError('invalid_request', 'This status tells of no failure', {
      errors: [{ path: 'status', message: 'must be an enhanced status code that begins with 4 or 5, such as 5.1.1' }],
    })
  if (row.status === 'bounced' || row.status === 'failed') return 'known'
  if (row.status !== 'sent' && row.status !== 'unconfirmed' && !row.handedAt)
    throw new AppError('conflict', 'This mail has not left, so it cannot have come back')
  const { db } = runtime
  const at = runtime.now()
  const to = await openPersonal(runtime, db, row.toSealed, 'emails.to')
  const words = said(`${report.status} ${report.detail}`, to)
  const status = verdict === 'bad_address' ? 'bounced' : 'failed'
  const reason = { bad_address: 'address_refused', unreachable: 'undeliverable', mail_refused: 'mail_refused' }[verdict]
  return db.transaction(async (tx) => {
    const app = await appIn(runtime, tx, row.appId)
    const ended = { leasedUntil: null, nextAt: null, finishedAt: at }
    const change = { ...ended, status, reason, detail: words } as const
    if (!app || !(await updateGone(tx, row.id, change))) return 'known'
    const tried = { at, durationMs: 0, outcome: 'returned', status: null, response: words }
    await insertAttempt(tx, { emailId: row.id, number: row.tries, ...tried })
    if (row.deliveryId !== null) await tellOfDelivery(runtime, tx, row.deliveryId, change, tried)
    if (verdict !== 'mail_refused')
      await suppress(runtime, tx, app, row, { to, forGood: verdict === 'bad_address', reason: words })
    await recordAudit(tx, {
      at,
      actor,
      action: 'email.bounce',
      appId: row.appId,
      target: { kind: 'email', id: row.id, label: row.kind },
      after: { status, reason, said: words },
    })
    return status
  })
}
