import { and, asc, eq, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { blocks, findings, identities, personalKeys, profiles, users } from '#server/db/schema.ts'
import { hexOf, markOf } from '#server/db/bytes.ts'
import { insertStatement, param, statement } from '#server/db/statement.ts'

export type UserRow = typeof users.$inferSelect
export type IdentityRow = typeof identities.$inferSelect

const lookup = statement('identity_lookup', (db) =>
  db
    .select({
      id: identities.id,
      userId: identities.userId,
      // What is sealed is not read with it: mostly it was opened lately, or need not be.
      detailsHash: hexOf(identities.detailsHash),
      publicKey: hexOf(identities.publicKey),
      blockedAt: users.blockedAt,
      profileMark: markOf(users.profileSealed),
      createdAt: users.createdAt,
    })
    .from(identities)
    .innerJoin(users, eq(users.id, identities.userId))
    .where(
      and(
        eq(identities.appId, param(identities.appId, 'appId')),
        eq(identities.kind, param(identities.kind, 'kind')),
        eq(identities.subjectHash, param(identities.subjectHash, 'subjectHash')),
      ),
    ),
)

export type FoundIdentity = Awaited<ReturnType<typeof lookup>>[number]

export async function findIdentity(
  db: Reader,
  key: { appId: number; kind: IdentityRow['kind']; subjectHash: Buffer },
): Promise<FoundIdentity | undefined> {
  const [row] = await lookup(db, key)
  return row
}

const sealedProfile = statement('profile_sealed', (db) =>
  db
    .select({
      sealed: users.profileSealed,
      // The key that it is sealed under, found by the tag that stands in front of it (secret/vault.ts).
      key: sql<Buffer | null>`(select ${personalKeys.sealed} from ${personalKeys}
        where ${personalKeys.tag} = substr(${users.profileSealed}, 2, 8))`.mapWith(personalKeys.sealed),
    })
    .from(users)
    .where(eq(users.id, param(users.id, 'id'))),
)

/** A user's profile as it is kept, with its key. */
export async function findSealedProfile(db: Reader, id: number) {
  const [row] = await sealedProfile(db, { id })
  return row
}

const sealedDetails = statement('details_sealed', (db) =>
  db
    .select({ sealed: identities.detailsSealed })
    .from(identities)
    .where(eq(identities.id, param(identities.id, 'id'))),
)

/** What an identity's latest proof said, as it is kept. */
export async function findSealedDetails(db: Reader, id: number): Promise<Buffer | null> {
  const [row] = await sealedDetails(db, { id })
  return row?.sealed ?? null
}

const userInsertion = insertStatement('user_insert', users.id, (db) =>
  db.insert(users).values({
    appId: sql.placeholder('appId'),
    profileSealed: sql.placeholder('profileSealed'),
    emailHash: sql.placeholder('emailHash'),
    createdAt: sql.placeholder('createdAt'),
  }),
)

export async function insertUser(
  tx: Transaction,
  user: { appId: number; profileSealed: Buffer | null; emailHash: Buffer | null; createdAt: Date },
): Promise<number> {
  return userInsertion(tx, user)
}

const identityInsertion = insertStatement('identity_insert', identities.id, (db) =>
  db.insert(identities).values({
    appId: sql.placeholder('appId'),
    userId: sql.placeholder('userId'),
    kind: sql.placeholder('kind'),
    subjectHash: sql.placeholder('subjectHash'),
    subjectSealed: sql.placeholder('subjectSealed'),
    usernameHash: sql.placeholder('usernameHash'),
    detailsHash: sql.placeholder('detailsHash'),
    detailsSealed: sql.placeholder('detailsSealed'),
    publicKey: sql.placeholder('publicKey'),
    createdAt: sql.placeholder('createdAt'),
  }),
)

export async function insertIdentity(tx: Transaction, identity: Omit<IdentityRow, 'id'>): Promise<number> {
  return identityInsertion(tx, identity)
}

export async function updateIdentity(tx: Transaction, id: number, change: Partial<IdentityRow>): Promise<void> {
  await tx.update(identities).set(change).where(eq(identities.id, id))
}

export async function updateUser(tx: Transaction, id: number, change: Partial<UserRow>): Promise<UserRow | undefined> {
  const [row] = await tx.update(users).set(change).where(eq(users.id, id)).returning()
  return row
}

export async function findUser(db: Reader, id: number): Promise<UserRow | undefined> {
  const [row] = await db.select().from(users).where(eq(users.id, id))
  return row
}

export function listIdentities(db: Reader, userId: number): PromiseLike<IdentityRow[]> {
  return db.select().from(identities).where(eq(identities.userId, userId)).orderBy(asc(identities.id))
}

/** Forgets what the list of blocks holds against a user. */
export async function deleteUserBlocks(tx: Transaction, userId: number): Promise<void> {
  await tx.delete(blocks).where(and(eq(blocks.userId, userId), eq(blocks.effect, 'block')))
}

const owned = statement('profiles_owned', (db) =>
  db
    .select({ id: profiles.id, dataSealed: profiles.dataSealed })
    .from(profiles)
    .where(
      and(eq(profiles.appId, param(profiles.appId, 'appId')), eq(profiles.ownedBy, param(profiles.ownedBy, 'address'))),
    ),
)

/** The handles that a wallet owns, whoever had it. */
export function listOwned(db: Reader, wallet: { appId: number; address: string }) {
  return owned(db, wallet)
}

/** Gives a handle to the person who owns its wallet now. */
export async function adoptProfile(
  tx: Transaction,
  id: number,
  change: { userId: number; dataSealed: Buffer },
): Promise<void> {
  await tx.update(profiles).set(change).where(eq(profiles.id, id))
}

export async function deleteIdentity(tx: Transaction, id: number): Promise<void> {
  await tx.delete(identities).where(eq(identities.id, id))
}

/** The handles that a user's wallets own. */
export function listProfiles(db: Reader, userId: number) {
  return db.select().from(profiles).where(eq(profiles.userId, userId)).orderBy(asc(profiles.id))
}

/** Removes a user with everything that hangs on them; false when there was none. */
export async function deleteUser(tx: Transaction, id: number): Promise<boolean> {
  await tx.delete(blocks).where(eq(blocks.userId, id))
  await tx.delete(findings).where(eq(findings.userId, id))
  const rows = await tx.delete(users).where(eq(users.id, id)).returning({ id: users.id })
  return rows.length > 0
}
