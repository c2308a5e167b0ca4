import { and, asc, eq } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { identities, profiles } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'

export type ProfileRow = typeof profiles.$inferSelect

/** The new row, or undefined when the handle is taken. */
export async function insertProfile(tx: Transaction, profile: Omit<ProfileRow, 'id'>): Promise<ProfileRow | undefined> {
  const [row] = await tx.insert(profiles).values(profile).onConflictDoNothing().returning()
  return row
}

const byHandle = statement('profile_by_handle', (db) =>
  db
    .select()
    .from(profiles)
    .where(
      and(eq(profiles.appId, param(profiles.appId, 'appId')), eq(profiles.handleKey, param(profiles.handleKey, 'key'))),
    ),
)

export async function findByHandle(db: Reader, appId: number, key: string): Promise<ProfileRow | undefined> {
  const [row] = await byHandle(db, { appId, key })
  return row
}

export async function findProfileRow(db: Reader, id: number): Promise<ProfileRow | undefined> {
  const [row] = await db.select().from(profiles).where(eq(profiles.id, id))
  return row
}

export function listByOwner(db: Reader, appId: number, ownedBy: string, most: number): PromiseLike<ProfileRow[]> {
  return db
    .select()
    .from(profiles)
    .where(and(eq(profiles.appId, appId), eq(profiles.ownedBy, ownedBy)))
    .orderBy(asc(profiles.id))
    .limit(most)
}

export async function updateData(tx: Transaction, id: number, dataSealed: Buffer, updatedAt: Date): Promise<void> {
  await tx.update(profiles).set({ dataSealed, updatedAt }).where(eq(profiles.id, id))
}

const wallet = statement('profile_owner', (db) =>
  db
    .select({ subjectSealed: identities.subjectSealed })
    .from(identities)
    .where(and(eq(identities.id, param(identities.id, 'id')), eq(identities.kind, 'ton'))),
)

/** The sealed address of an identity that is a wallet. */
export async function findWallet(db: Reader, identityId: number): Promise<Buffer | undefined> {
  const [row] = await wallet(db, { id: identityId })
  return row?.subjectSealed
}
