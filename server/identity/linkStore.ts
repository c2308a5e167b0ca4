import { and, asc, eq, gt, isNull, lte, or } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import {
  blocks,
  emails,
  events,
  findings,
  identities,
  linkCodes,
  notificationPreferences,
  profiles,
  sessions,
  users,
} from '#server/db/schema.ts'
import type { UserRow } from './store.ts'

export type LinkCodeRow = typeof linkCodes.$inferSelect

export async function findLinkCode(db: Reader, userId: number): Promise<LinkCodeRow | undefined> {
  const [row] = await db.select().from(linkCodes).where(eq(linkCodes.userId, userId))
  return row
}

/** Keeps a person's wish in the place of the one before. */
export async function saveLinkCode(tx: Transaction, row: Omit<LinkCodeRow, 'id'>): Promise<void> {
  await tx.insert(linkCodes).values(row).onConflictDoUpdate({ target: linkCodes.userId, set: row })
}

export async function changeLinkCode(tx: Transaction, userId: number, change: Partial<LinkCodeRow>): Promise<void> {
  await tx.update(linkCodes).set(change).where(eq(linkCodes.userId, userId))
}

/** Wishes whose account nobody has looked for yet, with the app of who asks. */
export function listUnresolved(db: Reader, now: Date, limit: number) {
  return db
    .select({ userId: linkCodes.userId, appId: users.appId })
    .from(linkCodes)
    .innerJoin(users, eq(users.id, linkCodes.userId))
    .where(and(isNull(linkCodes.resolvedAt), gt(linkCodes.expiresAt, now)))
    .orderBy(asc(linkCodes.id))
    .limit(limit)
}

export async function deleteExpiredLinks(tx: Transaction, now: Date): Promise<number> {
  const rows = await tx
    .delete(linkCodes)
    .where(and(lte(linkCodes.expiresAt, now), or(isNull(linkCodes.lockedUntil), lte(linkCodes.lockedUntil, now))))
    .returning({ id: linkCodes.id })
  return rows.length
}

/** Users of an app with an e-mail address, verified or not, oldest first. */
export function listByEmail(db: Reader, appId: number, emailHash: Buffer, limit: number): PromiseLike<UserRow[]> {
  return db
    .select()
    .from(users)
    .where(and(eq(users.emailHash, emailHash), eq(users.appId, appId)))
    .orderBy(asc(users.id))
    .limit(limit)
}

/** Gives everything that hangs on one user to another; how many of what people count. */
export async function moveAll(tx: Transaction, from: number, to: number) {
  const id = { id: identities.id }
  const moved = await tx.update(identities).set({ userId: to }).where(eq(identities.userId, from)).returning(id)
  const handles = await tx
    .update(profiles)
    .set({ userId: to })
    .where(eq(profiles.userId, from))
    .returning({ id: profiles.id })
  await tx.update(sessions).set({ userId: to }).where(eq(sessions.userId, from))
  await tx.update(events).set({ userId: to }).where(eq(events.userId, from))
  await tx.update(emails).set({ userId: to }).where(eq(emails.userId, from))
  await tx.update(findings).set({ userId: to }).where(eq(findings.userId, from))
  await tx.update(blocks).set({ userId: to }).where(eq(blocks.userId, from))
  const [own] = await tx
    .select({ id: notificationPreferences.id })
    .from(notificationPreferences)
    .where(eq(notificationPreferences.userId, to))
  if (!own) await tx.update(notificationPreferences).set({ userId: to }).where(eq(notificationPreferences.userId, from))
  return { identities: moved.length, profiles: handles.length }
}
