import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, lte, or, sql } from 'drizzle-orm'
import { unclaimed } from '#server/db/claim.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { emailAttempts, emails, emailSuppressions } from '#server/db/schema.ts'

export type EmailRow = typeof emails.$inferSelect
export type AttemptRow = typeof emailAttempts.$inferSelect
export type SuppressionRow = typeof emailSuppressions.$inferSelect

// Spelled as in the indexes (db/schema/email.ts).
const isQueued = sql`${emails.status} = 'queued'`
const isSending = sql`${emails.status} = 'sending'`

/** @returns the new row's number */
export async function insertEmail(tx: Transaction, mail: typeof emails.$inferInsert): Promise<number> {
  const [row] = await tx.insert(emails).values(mail).returning({ id: emails.id })
  return row!.id
}

export async function findEmail(db: Reader, id: number): Promise<EmailRow | undefined> {
  const [row] = await db.select().from(emails).where(eq(emails.id, id))
  return row
}

export async function hasDueEmails(db: Reader, now: Date): Promise<boolean> {
  const rows = await db
    .select({ id: emails.id })
    .from(emails)
    .where(or(and(isQueued, lte(emails.nextAt, now)), and(isSending, lt(emails.leasedUntil, now))))
    .limit(1)
  return rows.length > 0
}

/** Takes up to `limit` mails that are due, the oldest first, for one process until `leasedUntil`. */
export async function claimEmails(
  tx: Transaction,
  claim: { now: Date; leasedUntil: Date; limit: number },
): Promise<EmailRow[]> {
  const now = sql.param(claim.now, emails.nextAt)
  const rows = await tx
    .update(emails)
    .set({ status: 'sending', leasedUntil: claim.leasedUntil, tries: sql`${emails.tries} + 1` })
    .where(
      unclaimed(
        emails.id,
        sql`select ${emails.id} from ${emails} where ${isQueued} and ${emails.nextAt} <= ${now} order by ${emails.nextAt}, ${emails.id} limit ${claim.limit}`,
      ),
    )
    .returning()
  return rows.sort((a, b) => a.id - b.id)
}

/** Mails whose process died while it had them: those of which nothing had left are queued again, the others may have arrived. */
export async function releaseOrphans(
  tx: Transaction,
  now: Date,
): Promise<{ queued: number; unconfirmed: Pick<EmailRow, 'deliveryId' | 'status' | 'finishedAt'>[] }> {
  const orphaned = and(isSending, lt(emails.leasedUntil, now))
  const queued = await tx
    .update(emails)
    .set({ status: 'queued', leasedUntil: null, tries: sql`${emails.tries} - 1` })
    .where(and(orphaned, isNull(emails.handedAt)))
    .returning({ id: emails.id })
  const unconfirmed = await tx
    .update(emails)
    .set({
      status: 'unconfirmed',
      leasedUntil: null,
      nextAt: null,
      reason: 'process_died',
      detail: 'Gatehouse stopped while it was handing the mail over; it may have arrived',
      finishedAt: now,
    })
    .where(and(orphaned, isNotNull(emails.handedAt)))
    .returning({ deliveryId: emails.deliveryId, status: emails.status, finishedAt: emails.finishedAt })
  return { queued: queued.length, unconfirmed }
}

/** Changes a mail that is still ours (leased until the same moment); false when it is not. */
export async function updateLeased(
  tx: Transaction,
  mail: { id: number; leasedUntil: Date | null },
  change: Partial<EmailRow>,
): Promise<boolean> {
  const rows = await tx
    .update(emails)
    .set(change)
    .where(and(eq(emails.id, mail.id), isSending, eq(emails.leasedUntil, mail.leasedUntil!)))
    .returning({ id: emails.id })
  return rows.length > 0
}

/** Forgets a mail that is still ours; false when it is not. */
export async function deleteLeased(tx: Transaction, mail: { id: number; leasedUntil: Date | null }): Promise<boolean> {
  const rows = await tx
    .delete(emails)
    .where(and(eq(emails.id, mail.id), isSending, eq(emails.leasedUntil, mail.leasedUntil!)))
    .returning({ id: emails.id })
  return rows.length > 0
}

/** Changes a mail that has left, or may have; false when it has not, or came back before. */
export async function updateGone(tx: Transaction, id: number, change: Partial<EmailRow>): Promise<boolean> {
  const left = or(inArray(emails.status, ['sent', 'unconfirmed']), and(isSending, isNotNull(emails.handedAt)))
  const rows = await tx
    .update(emails)
    .set(change)
    .where(and(eq(emails.id, id), left))
    .returning({ id: emails.id })
  return rows.length > 0
}

export async function insertAttempt(tx: Transaction, row: typeof emailAttempts.$inferInsert): Promise<void> {
  await tx.insert(emailAttempts).values(row)
}

export function listAttempts(db: Reader, emailId: number): PromiseLike<AttemptRow[]> {
  return db.select().from(emailAttempts).where(eq(emailAttempts.emailId, emailId)).orderBy(asc(emailAttempts.id))
}

/** Mails whose code is over and still stands in them, some at a time. */
export function listStaleCodes(db: Reader, now: Date, limit: number): PromiseLike<EmailRow[]> {
  return db
    .select()
    .from(emails)
    .where(
      and(
        sql`${emails.expiresAt} is not null and ${emails.wipedAt} is null`,
        lte(emails.expiresAt, now),
        sql`${emails.status} <> 'sending'`,
      ),
    )
    .orderBy(asc(emails.expiresAt))
    .limit(limit)
}

export async function deleteEmail(tx: Transaction, id: number): Promise<void> {
  await tx.delete(emails).where(eq(emails.id, id))
}

export async function updateEmail(tx: Transaction, id: number, change: Partial<EmailRow>): Promise<void> {
  await tx.update(emails).set(change).where(eq(emails.id, id))
}

/** Forgets mails that were written before `before`; returns how many. */
export async function deleteOldEmails(tx: Transaction, before: Date, limit: number): Promise<number> {
  const some = tx
    .select({ id: emails.id })
    .from(emails)
    .where(and(lt(emails.createdAt, before), isNotNull(emails.finishedAt)))
    .limit(limit)
  const rows = await tx.delete(emails).where(inArray(emails.id, some)).returning({ id: emails.id })
  return rows.length
}

/** Why nothing goes to an address now. */
export async function findSuppression(db: Reader, toHash: Buffer, now: Date): Promise<SuppressionRow | undefined> {
  const [row] = await db
    .select()
    .from(emailSuppressions)
    .where(
      and(eq(emailSuppressions.toHash, toHash), or(isNull(emailSuppressions.until), gt(emailSuppressions.until, now))),
    )
  return row
}

/** Keeps mails away from an address; one that gets none for good stays so. */
export async function saveSuppression(tx: Transaction, row: typeof emailSuppressions.$inferInsert): Promise<void> {
  const { toHash: _, ...rest } = row
  await tx
    .insert(emailSuppressions)
    .values(row)
    .onConflictDoUpdate({
      target: emailSuppressions.toHash,
      set: rest,
      ...(row.until !== null && { setWhere: isNotNull(emailSuppressions.until) }),
    })
}
