import { and, asc, inArray, isNotNull, lt } from 'drizzle-orm'
import type { Transaction } from '#server/db/database.ts'
import { sessions } from '#server/db/schema.ts'

/** Removes sessions that ended before `before`, with what happened to them, `limit` at the most; returns how many. */
export async function deleteEndedSessions(tx: Transaction, before: Date, limit: number): Promise<number> {
  const some = tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(isNotNull(sessions.endedAt), lt(sessions.endedAt, before)))
    .orderBy(asc(sessions.endedAt))
    .limit(limit)
  const rows = await tx.delete(sessions).where(inArray(sessions.id, some)).returning({ id: sessions.id })
  return rows.length
}
