import { and, asc, eq, lt, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apps, eventTypes, events, idempotencyKeys, identities, users } from '#server/db/schema.ts'
import { insertStatement, param, statement } from '#server/db/statement.ts'

export type EventRow = typeof events.$inferSelect

const insertion = insertStatement('event_insert', events.id, (db) =>
  db.insert(events).values({
    appId: sql.placeholder('appId'),
    type: sql.placeholder('type'),
    userId: sql.placeholder('userId'),
    subjectKey: sql.placeholder('subjectKey'),
    payloadSealed: sql.placeholder('payloadSealed'),
    source: sql.placeholder('source'),
    createdAt: sql.placeholder('createdAt'),
  }),
)

/** @returns the new row's number */
export async function insertEvent(tx: Transaction, event: Omit<EventRow, 'id' | 'readAt'>): Promise<number> {
  return insertion(tx, event)
}

export async function findEvent(db: Reader, id: number): Promise<EventRow | undefined> {
  const [row] = await db.select().from(events).where(eq(events.id, id))
  return row
}

/** Removes what is told of a person, with everything owed because of it. */
export async function deleteEventsOfUser(tx: Transaction, userId: number): Promise<void> {
  await tx.delete(events).where(eq(events.userId, userId))
}

const subjects = statement('identity_subjects', (db) =>
  db
    .select({ kind: identities.kind, subjectSealed: identities.subjectSealed })
    .from(identities)
    .where(eq(identities.userId, param(identities.userId, 'userId')))
    .orderBy(asc(identities.id)),
)

/** What a user proved to be, oldest first. */
export function listSubjects(db: Reader, userId: number) {
  return subjects(db, { userId })
}

const profileOf = statement('user_profile', (db) =>
  db
    .select({ appId: users.appId, profileSealed: users.profileSealed })
    .from(users)
    .where(eq(users.id, param(users.id, 'id'))),
)

export async function findProfile(db: Reader, userId: number) {
  const [row] = await profileOf(db, { id: userId })
  return row
}

const bySubject = statement('identity_of_subject', (db) =>
  db
    .select({ userId: identities.userId })
    .from(identities)
    .where(
      and(
        eq(identities.appId, param(identities.appId, 'appId')),
        eq(identities.kind, param(identities.kind, 'kind')),
        eq(identities.subjectHash, param(identities.subjectHash, 'subjectHash')),
      ),
    ),
)

export async function findUserOfSubject(
  db: Reader,
  key: { appId: number; kind: 'telegram' | 'ton' | 'sso'; subjectHash: Buffer },
): Promise<number | undefined> {
  const [row] = await bySubject(db, key)
  return row?.userId
}

export type TypeRow = typeof eventTypes.$inferSelect

export function listTypes(db: Reader, appId: number): PromiseLike<TypeRow[]> {
  return db.select().from(eventTypes).where(eq(eventTypes.appId, appId)).orderBy(asc(eventTypes.key))
}

export async function saveType(
  tx: Transaction,
  type: { appId: number; key: string; definition: string; at: Date },
): Promise<void> {
  const { appId, key, definition, at } = type
  await tx
    .insert(eventTypes)
    .values({ appId, key, definition, createdAt: at, updatedAt: at })
    .onConflictDoUpdate({ target: [eventTypes.appId, eventTypes.key], set: { definition, updatedAt: at } })
}

export async function deleteType(tx: Transaction, appId: number, key: string): Promise<boolean> {
  const rows = await tx
    .delete(eventTypes)
    .where(and(eq(eventTypes.appId, appId), eq(eventTypes.key, key)))
    .returning({ id: eventTypes.id })
  return rows.length > 0
}

/** Makes every copy of the app in memory stale, so that its types are read anew. */
export async function renewApp(tx: Transaction, appId: number): Promise<void> {
  await tx
    .update(apps)
    .set({ version: sql`${apps.version} + 1` })
    .where(eq(apps.id, appId))
}

export async function findAnswer(db: Reader, appId: number, keyHash: Buffer) {
  const [row] = await db
    .select()
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.appId, appId), eq(idempotencyKeys.keyHash, keyHash)))
  return row
}

export async function insertAnswer(tx: Transaction, answer: typeof idempotencyKeys.$inferInsert): Promise<void> {
  await tx.insert(idempotencyKeys).values(answer)
}

export async function deleteAnswer(tx: Transaction, id: number): Promise<void> {
  await tx.delete(idempotencyKeys).where(eq(idempotencyKeys.id, id))
}

/** Forgets answers from before `before`; returns how many. */
export async function deleteOldAnswers(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx
    .delete(idempotencyKeys)
    .where(lt(idempotencyKeys.createdAt, before))
    .returning({ id: idempotencyKeys.id })
  return rows.length
}
