import { appIn } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { composeSource } from './compose.ts'
import { openContent, sealContent } from './content.ts'
import { countMail } from './count.ts'
import { isDecoy } from './decoy.ts'
import { nextTry } from './schedule.ts'
import type { Sent, Smtp } from './smtp.ts'
import { settle } from './settle.ts'
import { deleteLeased, findSuppression, insertAttempt, updateLeased, type EmailRow } from './store.ts'
import { suppress } from './suppress.ts'
import { tellFallback } from './tellFallback.ts'
import { writeLetter } from './write.ts'

type End = Pick<EmailRow, 'status' | 'reason' | 'detail'>

/**
 * One try to send one claimed mail: what is over, or must not go to this address, ends here; the rest is written out, checked, and handed to the
 * server or to the built-in inbox. Never throws; what fails on our side is tried again.
 */
export async function deliver(runtime: Runtime, smtp: Smtp | undefined, row: EmailRow): Promise<void> {
  try {
    await attempt(runtime, smtp, row)
  } catch (error) {
    runtime.log.error({ err: error, email: runtime.vault.ids.seal('eml', row.id) }, 'a mail failed on our side')
    const change = again(runtime, row, { outcome: 'again', response: 'Something failed on our side; see the log' })
    await runtime.db
      .transaction((tx) => (isDecoy(runtime, row) ? deleteLeased(tx, row) : settle(runtime, tx, row, change)))
      .catch((error: unknown) => runtime.log.error({ err: error }, 'that a mail failed could not be written down'))
  }
}

async function attempt(runtime: Runtime, smtp: Smtp | undefined, row: EmailRow): Promise<void> {
  const { db } = runtime
  const began = runtime.now()
  const decoy = isDecoy(runtime, row)
  const end = async (change: End & Partial<EmailRow>) => {
    if (decoy) return void (await db.transaction((tx) => deleteLeased(tx, row)))
    const ended = { ...over, finishedAt: runtime.now(), ...change }
    if (await db.transaction((tx) => settle(runtime, tx, row, ended))) countMail(runtime, row.appId, change.status)
  }

  if (row.expiresAt && row.expiresAt <= began) {
    await end({ status: 'expired', reason: 'code_over', detail: 'Its code was over before it could be sent' })
    return
  }
  const suppression = await findSuppression(db, row.toHash, began)
  if (suppression) {
    await end({ status: 'suppressed', reason: 'suppressed', detail: suppression.reason })
    return
  }
  const app = await appIn(runtime, db, row.appId)
  if (!app) return

  const kept = row.contentSealed ? await openContent(runtime, db, row.contentSealed) : undefined
  const written = kept ? undefined : await writeLetter(runtime, db, app, row)
  const letter = kept ? kept.letter : written!.letter
  if (written?.fallback) await tellFallback(runtime, app, row, written.fallback)
  const made: Partial<EmailRow> = written
    ? {
        contentSealed: await sealContent(runtime, db, row.userId, { letter, coveredParts: written.coveredParts }),
        templateVersion: written.templateVersion,
        fallback: written.fallback,
      }
    : {}
  if (!smtp) {
    await end({
      status: 'kept',
      reason: 'no_smtp',
      detail: 'Kept here, because no SMTP_URL is set',
      ...made,
    })
    return
  }

  const source = await composeSource(letter)
  if (decoy) {
    await db.transaction((tx) => updateLeased(tx, row, made))
    return end({ status: 'sent', reason: 'ok', detail: null })
  }
  const sent = await smtp.send({ from: letter.from.address, to: letter.to, id: letter.ref }, source, async () => {
    const ours = await db.transaction((tx) => updateLeased(tx, row, { ...made, handedAt: runtime.now() }))
    if (!ours) throw new Error('Somebody else has taken this mail')
  })
  const now = runtime.now()
  const change = changeFor(runtime, row, sent, now)
  const ours = await db.transaction(async (tx) => {
    const { outcome, status = null, response } = sent
    const tried = { at: began, durationMs: now.getTime() - began.getTime(), outcome, status, response }
    if (!(await settle(runtime, tx, row, { ...made, ...change }, tried))) return false
    await insertAttempt(tx, { emailId: row.id, number: row.tries, ...tried })
    if (sent.outcome === 'bounced' || (sent.outcome === 'again' && change.status === 'failed' && sent.status))
      await suppress(runtime, tx, app, row, {
        to: letter.to,
        forGood: sent.outcome === 'bounced',
        reason: sent.response,
      })
    return true
  })
  if (ours) countMail(runtime, row.appId, change.status!)
  if (sent.outcome !== 'sent') runtime.log.warn({ email: letter.ref, ...sent }, 'a mail was not taken')
}

const over = { leasedUntil: null, nextAt: null } as const

function changeFor(runtime: Runtime, row: EmailRow, sent: Sent, now: Date): Partial<EmailRow> {
  const ended = { ...over, finishedAt: now, detail: sent.response }
  switch (sent.outcome) {
    case 'sent':
      return { ...ended, status: 'sent', reason: 'ok' }
    case 'bounced':
      return { ...ended, status: 'bounced', reason: 'address_refused' }
    case 'refused':
      return { ...ended, status: 'failed', reason: 'mail_refused' }
    case 'unconfirmed':
      return { ...ended, status: 'unconfirmed', reason: 'no_answer' }
    default:
      return again(runtime, row, sent)
  }
}

/** What becomes of a mail that was put off: the next try, or the end when there is none or its code will be over by then. */
function again(runtime: Runtime, row: EmailRow, sent: Sent): Partial<EmailRow> {
  const now = runtime.now()
  const nextAt = nextTry(row.tries, now)
  const detail = sent.response
  if (!nextAt) return { ...over, status: 'failed', reason: 'gave_up', detail, finishedAt: now }
  if (row.expiresAt && nextAt >= row.expiresAt)
    return {
      ...over,
      status: 'expired',
      reason: 'code_over',
      detail: `Its code is over before the next try. ${detail}`,
      finishedAt: now,
    }
  return { status: 'queued', leasedUntil: null, nextAt, reason: 'put_off', detail, handedAt: null }
}
