import { and, count, desc, eq, gt, gte, inArray, isNull, lte, ne, or, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { accessTokens, erasedSessions, sessions, signingKeys } from '#server/db/schema.ts'
import { slotOf } from '#server/db/slot.ts'
import { insertStatement, param, statement } from '#server/db/statement.ts'
import { unindexed } from '#server/db/unindexed.ts'

export type SigningKeyRow = typeof signingKeys.$inferSelect

/** Keys that are published at `now`: next, active, and retired ones that live tokens may still carry. */
export function listPublishedKeys(db: Reader, now: Date): PromiseLike<SigningKeyRow[]> {
  return db
    .select()
    .from(signingKeys)
    .where(or(ne(signingKeys.state, 'retired'), gt(signingKeys.publishedUntil, now)))
    .orderBy(desc(signingKeys.id))
}

export function listKeys(db: Reader): PromiseLike<SigningKeyRow[]> {
  return db.select().from(signingKeys).orderBy(desc(signingKeys.id)).limit(50)
}

export async function insertKey(tx: Transaction, key: typeof signingKeys.$inferInsert): Promise<void> {
  await tx.insert(signingKeys).values(key)
}

export async function moveKey(tx: Transaction, id: number, change: Partial<SigningKeyRow>): Promise<void> {
  await tx.update(signingKeys).set(change).where(eq(signingKeys.id, id))
}

export async function deleteKey(tx: Transaction, id: number): Promise<void> {
  await tx.delete(signingKeys).where(eq(signingKeys.id, id))
}

/**
 * How many live sessions of some apps got their newest JWT in a span of time, counted up to `most`, and when the last of those was. A session gets one when it
 * begins and when it is refreshed, which both count as use: only sessions used since `from` are looked at, by the index of last uses.
 */
export async function countIssued(
  db: Reader,
  issued: { appIds: number[]; from: Date; to: Date; now: Date },
  most: number,
): Promise<{ count: number; last: Date | null }> {
  const { createdAt, refreshedAt } = sessions
  const at = sql`coalesce(${refreshedAt}, ${createdAt})`
  const some = db
    .select({ at: at.mapWith(createdAt).as('at') })
    .from(sessions)
    .where(
      and(
        gte(sessions.activeSlot, slotOf(issued.from)),
        inArray(unindexed(sessions.appId), issued.appIds),
        isNull(sessions.endedAt),
        gt(sessions.expiresAt, issued.now),
        sql`${at} >= ${sql.param(issued.from, createdAt)}`,
        sql`${at} < ${sql.param(issued.to, createdAt)}`,
      ),
    )
    .limit(most)
    .as('some')
  const [row] = await db
    .select({ count: count(), last: sql<Date | null>`max(${some.at})`.mapWith(createdAt) })
    .from(some)
  return row!
}

const insertion = insertStatement('access_token_insert', accessTokens.id, (db) =>
  db.insert(accessTokens).values({
    sessionId: sql.placeholder('sessionId'),
    tokenHash: sql.placeholder('tokenHash'),
    expiresAt: sql.placeholder('expiresAt'),
  }),
)

/** @returns the new row's number, which goes into the token */
export async function insertAccessToken(
  tx: Transaction,
  token: { sessionId: number; tokenHash: Buffer; expiresAt: Date },
): Promise<number> {
  return insertion(tx, token)
}

const lookup = statement('access_token_lookup', (db) =>
  db
    .select()
    .from(accessTokens)
    .where(eq(accessTokens.id, param(accessTokens.id, 'id'))),
)

export async function findAccessToken(db: Reader, id: number) {
  const [row] = await lookup(db, { id })
  return row
}

/** Removes opaque tokens that nobody can use again; returns how many. */
export async function deleteExpiredTokens(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx
    .delete(accessTokens)
    .where(lte(accessTokens.expiresAt, before))
    .returning({ id: accessTokens.id })
  return rows.length
}

/** Removes signing keys that were withdrawn before `before`; returns how many. */
export async function deleteWithdrawnKeys(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx
    .delete(signingKeys)
    .where(and(eq(signingKeys.state, 'retired'), lte(signingKeys.publishedUntil, before)))
    .returning({ id: signingKeys.id })
  return rows.length
}

/** The refresh columns of a session. */
export type RefreshState = {
  refreshHash: Buffer
  refreshGeneration: number
  refreshedAt: Date
  refreshSuccessorSealed: Buffer | null
  refreshExpiresAt: Date
}

export async function setRefresh(tx: Transaction, sessionId: number, state: Partial<RefreshState>): Promise<void> {
  await tx
    .update(sessions)
    .set(state)
    .where(and(eq(sessions.id, sessionId)))
}

/**
 * The numbers of an app's sessions that ended since a moment, of a range of numbers. By the index of endings: the plus keeps the engine from walking
 * all sessions of the app instead.
 */
export async function listEndedIds(
  db: Reader,
  appId: number,
  { since, from, to }: { since: Date; from: number; to: number },
): Promise<number[]> {
  const within = (table: typeof sessions | typeof erasedSessions) =>
    and(
      gt(table.endedAt, since),
      sql`+${table.appId} = ${appId}`,
      sql`+${table.id} >= ${from}`,
      sql`+${table.id} < ${to}`,
    )
  const [ended, erased] = await Promise.all([
    db.select({ id: sessions.id }).from(sessions).where(within(sessions)),
    db.select({ id: erasedSessions.id }).from(erasedSessions).where(within(erasedSessions)),
  ])
  return [...ended, ...erased].map(({ id }) => id)
}

/** Keeps the numbers of a user's sessions before they are deleted, so that their tokens stay on the list of the revoked. */
export async function keepErasedSessions(tx: Transaction, userId: number, at: Date): Promise<void> {
  const rows = await tx
    .select({ id: sessions.id, appId: sessions.appId })
    .from(sessions)
    .where(eq(sessions.userId, userId))
    .orderBy(desc(sessions.id))
    .limit(MOST_KEPT)
  if (rows.length > 0) await tx.insert(erasedSessions).values(rows.map((row) => ({ ...row, endedAt: at })))
}

/** A person with more sessions whose tokens have not expired yet does not exist. */
const MOST_KEPT = 2_000

export async function deleteOldErasures(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx
    .delete(erasedSessions)
    .where(lte(erasedSessions.endedAt, before))
    .returning({ id: erasedSessions.id })
  return rows.length
}
