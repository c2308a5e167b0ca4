import { and, asc, eq, gt, gte, inArray, isNull, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { erasedUsers, identities, personalKeys, profiles, signatures, users } from '#server/db/schema.ts'
import { changeStatement, param, statement } from '#server/db/statement.ts'

export type KeyRow = typeof personalKeys.$inferSelect
export type ErasedRow = typeof erasedUsers.$inferSelect

const byTag = statement('personal_key', (db) =>
  db
    .select()
    .from(personalKeys)
    .where(eq(personalKeys.tag, param(personalKeys.tag, 'tag'))),
)

export async function findKey(db: Reader, tag: Buffer): Promise<KeyRow | undefined> {
  const [row] = await byTag(db, { tag })
  return row
}

const byUser = statement('personal_key_of_user', (db) =>
  db
    .select()
    .from(personalKeys)
    .where(eq(personalKeys.userId, param(personalKeys.userId, 'userId')))
    .orderBy(asc(personalKeys.tag))
    .limit(1),
)

export async function findKeyOf(db: Reader, userId: number): Promise<KeyRow | undefined> {
  const [row] = await byUser(db, { userId })
  return row
}

const insertion = changeStatement('personal_key_insert', (db) =>
  db.insert(personalKeys).values({
    tag: sql.placeholder('tag'),
    userId: sql.placeholder('userId'),
    sealed: sql.placeholder('sealed'),
  }),
)

export async function insertKey(tx: Transaction, key: KeyRow): Promise<void> {
  await insertion(tx, key)
}

export async function moveKeys(tx: Transaction, from: number, to: number): Promise<void> {
  await tx.update(personalKeys).set({ userId: to }).where(eq(personalKeys.userId, from))
}

/** Users without a key of their own, the oldest first. */
export function listKeyless(db: Reader, after: number, limit: number): PromiseLike<{ id: number }[]> {
  return db
    .select({ id: users.id })
    .from(users)
    .leftJoin(personalKeys, eq(personalKeys.userId, users.id))
    .where(and(gt(users.id, after), isNull(personalKeys.tag)))
    .orderBy(asc(users.id))
    .limit(limit)
}

/** What of a user is kept for as long as they are. */
export async function findLasting(db: Reader, userId: number) {
  const [user] = await db
    .select({ id: users.id, profileSealed: users.profileSealed })
    .from(users)
    .where(eq(users.id, userId))
  return {
    user,
    identities: await db
      .select({
        id: identities.id,
        subjectSealed: identities.subjectSealed,
        detailsSealed: identities.detailsSealed,
      })
      .from(identities)
      .where(eq(identities.userId, userId)),
    profiles: await db
      .select({ id: profiles.id, dataSealed: profiles.dataSealed })
      .from(profiles)
      .where(eq(profiles.userId, userId)),
    signatures: await db
      .select({
        id: signatures.id,
        emailSealed: signatures.emailSealed,
        questionsSealed: signatures.questionsSealed,
      })
      .from(signatures)
      .where(eq(signatures.userId, userId)),
  }
}

type Sealed = Buffer | null

/** Replaces a user's profile, unless it was changed meanwhile. */
export async function replaceProfile(tx: Transaction, id: number, before: Buffer, after: Buffer): Promise<void> {
  await tx
    .update(users)
    .set({ profileSealed: after })
    .where(and(eq(users.id, id), eq(users.profileSealed, before)))
}

export async function replaceIdentity(
  tx: Transaction,
  before: { id: number; detailsSealed: Sealed },
  after: { subjectSealed: Buffer; detailsSealed: Sealed },
): Promise<void> {
  const { detailsSealed } = before
  const same = detailsSealed ? eq(identities.detailsSealed, detailsSealed) : isNull(identities.detailsSealed)
  await tx
    .update(identities)
    .set(after)
    .where(and(eq(identities.id, before.id), same))
}

export async function replaceHandle(tx: Transaction, id: number, before: Buffer, after: Buffer): Promise<void> {
  await tx
    .update(profiles)
    .set({ dataSealed: after })
    .where(and(eq(profiles.id, id), eq(profiles.dataSealed, before)))
}

export async function replaceContact(tx: Transaction, id: number, before: Buffer, after: Buffer): Promise<void> {
  await tx
    .update(signatures)
    .set({ emailSealed: after })
    .where(and(eq(signatures.id, id), eq(signatures.emailSealed, before)))
}

export async function replaceQuestions(tx: Transaction, id: number, before: Buffer, after: Buffer): Promise<void> {
  await tx
    .update(signatures)
    .set({ questionsSealed: after })
    .where(and(eq(signatures.id, id), eq(signatures.questionsSealed, before)))
}

/** Notes who is erased. Who is noted already stays as they are. */
export async function insertErased(tx: Transaction, row: ErasedRow): Promise<void> {
  await tx.insert(erasedUsers).values(row).onConflictDoNothing()
}

/** Who was erased, from a user's number on. */
export function listErased(db: Reader, from: number, limit: number): PromiseLike<ErasedRow[]> {
  return db.select().from(erasedUsers).where(gte(erasedUsers.id, from)).orderBy(asc(erasedUsers.id)).limit(limit)
}

/** Which of some users there are, and since when. */
export function listThere(db: Reader, ids: number[]) {
  return db
    .select({ id: users.id, appId: users.appId, createdAt: users.createdAt })
    .from(users)
    .where(inArray(users.id, ids))
}
