import type { Transaction } from '#server/db/database.ts'
import { noteMail, type MailNews } from '#server/delivery/noteMail.ts'
import type { Runtime } from '#server/runtime.ts'
import { updateLeased, type EmailRow } from './store.ts'

type Change = Partial<EmailRow>
type Tried = Exclude<MailNews['attempt'], undefined>

/** How the log of notifications calls what became of a mail that tells of an event. Only what the server took has reached the person. */
const called: Partial<Record<EmailRow['status'], Pick<MailNews, 'status' | 'reason'>>> = {
  queued: { status: 'pending', reason: 'mail_put_off' },
  sent: { status: 'delivered', reason: 'ok' },
  kept: { status: 'skipped', reason: 'mail_kept' },
  bounced: { status: 'skipped', reason: 'mail_bounced' },
  suppressed: { status: 'skipped', reason: 'mail_suppressed' },
  failed: { status: 'dead', reason: 'mail_refused' },
  unconfirmed: { status: 'dead', reason: 'mail_unconfirmed' },
}

/** Failures of several kinds, by the reason that stands with the mail. */
const ofReason: Record<string, string> = { gave_up: 'mail_gave_up', undeliverable: 'mail_undeliverable' }

/** Writes what became of a mail that is ours, and where it tells of an event, that too; false when it is not ours any more. */
export async function settle(
  runtime: Runtime,
  tx: Transaction,
  row: EmailRow,
  change: Change,
  tried?: Tried,
): Promise<boolean> {
  if (!(await updateLeased(tx, row, change))) return false
  if (row.deliveryId !== null) await tellOfDelivery(runtime, tx, row.deliveryId, change, tried)
  return true
}

/** The same for a mail whose change is written already. */
export async function tellOfDelivery(
  runtime: Runtime,
  tx: Transaction,
  deliveryId: number,
  { status, reason, nextAt = null, finishedAt = null }: Change,
  tried?: Tried,
): Promise<void> {
  const said = status && called[status]
  if (!said) return
  const why = ofReason[reason ?? ''] ?? said.reason
  const attempt = tried && { ...tried, outcome: said.reason! }
  await noteMail(runtime, tx, deliveryId, { ...said, reason: why, nextAt, finishedAt, ...(attempt && { attempt }) })
}
