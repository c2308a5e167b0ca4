import { and, asc, eq, inArray, isNull, lt, lte } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { identities, seenTransactions, watchedWallets } from '#server/db/schema.ts'

export type WatchedRow = typeof watchedWallets.$inferSelect

/** Wallets of these apps that are linked and not followed yet. */
export function listUnwatched(db: Reader, appIds: number[], limit: number) {
  return db
    .select({ identityId: identities.id, appId: identities.appId })
    .from(identities)
    .leftJoin(watchedWallets, eq(watchedWallets.identityId, identities.id))
    .where(and(inArray(identities.appId, appIds), eq(identities.kind, 'ton'), isNull(watchedWallets.identityId)))
    .limit(limit)
}

export async function insertWatched(tx: Transaction, rows: (typeof watchedWallets.$inferInsert)[]): Promise<void> {
  if (rows.length > 0) await tx.insert(watchedWallets).values(rows).onConflictDoNothing()
}

/** Forgets the wallets of apps that are not among these: who is followed anew is followed from then on. */
export async function deleteUnwanted(tx: Transaction, appIds: number[]): Promise<void> {
  const rows = await tx.selectDistinct({ appId: watchedWallets.appId }).from(watchedWallets)
  const gone = rows.map(({ appId }) => appId).filter((id) => !appIds.includes(id))
  if (gone.length > 0) await tx.delete(watchedWallets).where(inArray(watchedWallets.appId, gone))
}

export function listDue(db: Reader, now: Date, limit: number) {
  return db
    .select({ watched: watchedWallets, identity: identities })
    .from(watchedWallets)
    .innerJoin(identities, eq(identities.id, watchedWallets.identityId))
    .where(lte(watchedWallets.nextAt, now))
    .orderBy(asc(watchedWallets.nextAt))
    .limit(limit)
}

export async function findWatched(db: Reader, identityId: number): Promise<WatchedRow | undefined> {
  const [row] = await db.select().from(watchedWallets).where(eq(watchedWallets.identityId, identityId))
  return row
}

export async function updateWatched(tx: Transaction, identityId: number, change: Partial<WatchedRow>): Promise<void> {
  await tx.update(watchedWallets).set(change).where(eq(watchedWallets.identityId, identityId))
}

/** Notes transactions in one statement; returns the hashes of those that were not noted before, in hexadecimal. */
export async function noteSeen(tx: Transaction, seen: (typeof seenTransactions.$inferInsert)[]): Promise<Set<string>> {
  if (seen.length === 0) return new Set()
  const rows = await tx
    .insert(seenTransactions)
    .values(seen)
    .onConflictDoNothing()
    .returning({ hash: seenTransactions.hash })
  return new Set(rows.map(({ hash }) => Buffer.from(hash).toString('hex')))
}

export async function forgetSeen(tx: Transaction, identityId: number, before: number): Promise<void> {
  await tx
    .delete(seenTransactions)
    .where(and(eq(seenTransactions.identityId, identityId), lt(seenTransactions.lt, before)))
}
