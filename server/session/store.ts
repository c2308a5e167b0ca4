import { and, asc, desc, eq, gt, inArray, isNull, lt, ne, sql, type SQL } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { accessTokens, apps, sessionEvents, sessions, users } from '#server/db/schema.ts'
import { hexOf, markOf } from '#server/db/bytes.ts'
import { isSeated, unseated } from '#server/db/seat.ts'
import { slotOf } from '#server/db/slot.ts'
import { changeStatement, insertStatement, param, statement } from '#server/db/statement.ts'
import type { EndReason, SessionRow } from './session.ts'

const checked = {
  session: {
    id: sessions.id,
    appId: sessions.appId,
    userId: sessions.userId,
    identityId: sessions.identityId,
    method: sessions.method,
    createdAt: sessions.createdAt,
    lastActiveAt: sessions.lastActiveAt,
    expiresAt: sessions.expiresAt,
    endedAt: sessions.endedAt,
    endReason: sessions.endReason,
  },
  appVersion: apps.version,
  profileMark: markOf(users.profileSealed),
  userCreatedAt: users.createdAt,
  userBlockedAt: users.blockedAt,
}

const found = statement('session_lookup', (db) =>
  db
    .select(checked)
    .from(sessions)
    .innerJoin(apps, eq(apps.id, sessions.appId))
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, param(sessions.id, 'id'))),
)

/** What every authenticated request reads: the session, the version of its app's settings, whether the user's profile is the one we know. */
export type FoundSession = Awaited<ReturnType<typeof found>>[number]

export async function findSession(db: Reader, id: number): Promise<FoundSession | undefined> {
  const [row] = await found(db, { id })
  return row
}

const ofToken = statement('session_of_token', (db) =>
  db
    .select({
      ...checked,
      token: { id: accessTokens.id, hash: hexOf(accessTokens.tokenHash), expiresAt: accessTokens.expiresAt },
    })
    .from(accessTokens)
    .innerJoin(sessions, eq(sessions.id, accessTokens.sessionId))
    .innerJoin(apps, eq(apps.id, sessions.appId))
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(accessTokens.id, param(accessTokens.id, 'id'))),
)

/** The session of an opaque access token, with the token's own row. */
export async function findSessionOfToken(db: Reader, tokenId: number) {
  const [row] = await ofToken(db, { id: tokenId })
  return row
}

const whole = statement('session_row', (db) =>
  db
    .select()
    .from(sessions)
    .where(eq(sessions.id, param(sessions.id, 'id'))),
)

export async function findSessionRow(db: Reader, id: number): Promise<SessionRow | undefined> {
  const [row] = await whole(db, { id })
  return row
}

const seated = statement('sessions_seated', (db) =>
  db
    .select({
      id: sessions.id,
      userId: sessions.userId,
      method: sessions.method,
      seat: sessions.seat,
      createdAt: sessions.createdAt,
      lastActiveAt: sessions.lastActiveAt,
      expiresAt: sessions.expiresAt,
    })
    .from(sessions)
    .where(and(eq(sessions.userId, param(sessions.userId, 'userId')), isSeated))
    .orderBy(asc(sessions.id)),
)

/** The user's sessions that hold a seat: live ones, and ones that time has ended but nobody yet. */
export function listSeated(db: Reader, userId: number) {
  return seated(db, { userId })
}

const insertion = insertStatement('session_insert', sessions.id, (db) =>
  db.insert(sessions).values({
    appId: sql.placeholder('appId'),
    userId: sql.placeholder('userId'),
    identityId: sql.placeholder('identityId'),
    seat: sql.placeholder('seat'),
    method: sql.placeholder('method'),
    ip: sql.placeholder('ip'),
    userAgent: sql.placeholder('userAgent'),
    device: sql.placeholder('device'),
    country: sql.placeholder('country'),
    createdAt: sql.placeholder('createdAt'),
    lastActiveAt: sql.placeholder('createdAt'),
    activeSlot: sql.placeholder('activeSlot'),
    expiresAt: sql.placeholder('expiresAt'),
    refreshHash: sql.placeholder('refreshHash'),
    refreshExpiresAt: sql.placeholder('refreshExpiresAt'),
  }),
)

export type NewSession = Pick<
  SessionRow,
  | 'appId'
  | 'userId'
  | 'identityId'
  | 'seat'
  | 'method'
  | 'ip'
  | 'userAgent'
  | 'device'
  | 'country'
  | 'createdAt'
  | 'expiresAt'
  | 'refreshHash'
  | 'refreshExpiresAt'
>

/** @returns the new row's number */
export async function insertSession(tx: Transaction, session: NewSession): Promise<number> {
  return insertion(tx, { ...session, activeSlot: slotOf(session.createdAt) })
}

const ending = changeStatement('session_end', (db) =>
  db
    .update(sessions)
    .set({
      ...unseated,
      endedAt: sql.placeholder('at') as unknown as Date,
      endReason: sql.placeholder('reason') as unknown as string,
      endedBy: sql.placeholder('by') as unknown as string,
    })
    .where(and(eq(sessions.id, param(sessions.id, 'id')), isNull(sessions.endedAt))),
)

/** Ends one session; false when it had ended already. */
export async function endSession(
  tx: Transaction,
  id: number,
  end: { reason: EndReason; at: Date; by?: string | undefined },
): Promise<boolean> {
  return (await ending(tx, { id, reason: end.reason, at: end.at, by: end.by ?? null })) > 0
}

/** What sessions are chosen by. */
export type Condition = SQL | undefined

/** Ends live sessions that meet every condition, at most `limit` of them; returns those that were ended. */
export function endSessions(
  tx: Transaction,
  where: Condition[],
  end: { reason: EndReason; at: Date; by?: string | undefined },
  limit: number,
) {
  const chosen = tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(...where, isNull(sessions.endedAt)))
    .limit(limit)
  return tx
    .update(sessions)
    .set({ ...unseated, endedAt: end.at, endReason: end.reason, endedBy: end.by ?? null })
    .where(inArray(sessions.id, chosen))
    .returning({ id: sessions.id, appId: sessions.appId, userId: sessions.userId, method: sessions.method })
}

export const ofUser = (userId: number): Condition => and(eq(sessions.userId, userId), isSeated)
export const ofApp = (appId: number): SQL => eq(sessions.appId, appId)
export const openedBy = (identityId: number): SQL => eq(sessions.identityId, identityId)
export const otherThan = (id: number): SQL => ne(sessions.id, id)
export const withIds = (ids: number[]): SQL => inArray(sessions.id, ids)

const touching = changeStatement('session_touch', (db) =>
  db
    .update(sessions)
    .set({
      lastActiveAt: sql.placeholder('at') as unknown as Date,
      activeSlot: sql.placeholder('slot') as unknown as number,
    })
    .where(
      and(
        eq(sessions.id, param(sessions.id, 'id')),
        lt(sessions.lastActiveAt, param(sessions.lastActiveAt, 'at')),
        isNull(sessions.endedAt),
      ),
    ),
)

/** Moves lastActiveAt forward, never back. `at` in milliseconds since the epoch. */
export async function touchSessions(tx: Transaction, touches: { id: number; at: number }[]): Promise<void> {
  for (const { id, at } of touches) await touching(tx, { id, at: new Date(at), slot: slotOf(at) })
}

const extending = changeStatement('access_token_extend', (db) =>
  db
    .update(accessTokens)
    .set({ expiresAt: sql.placeholder('expiresAt') as unknown as Date })
    .where(
      and(
        eq(accessTokens.id, param(accessTokens.id, 'id')),
        lt(accessTokens.expiresAt, param(accessTokens.expiresAt, 'expiresAt')),
      ),
    ),
)

/** Extends opaque tokens to `at` (milliseconds) plus `ttl` (seconds). */
export async function touchTokens(tx: Transaction, touches: { id: number; at: number; ttl: number }[]): Promise<void> {
  for (const { id, at, ttl } of touches) await extending(tx, { id, expiresAt: new Date(at + ttl * 1000) })
}

export async function insertEvent(tx: Transaction, event: typeof sessionEvents.$inferInsert): Promise<void> {
  await tx.insert(sessionEvents).values(event)
}

export function listEvents(db: Reader, sessionId: number, limit: number) {
  return db
    .select()
    .from(sessionEvents)
    .where(eq(sessionEvents.sessionId, sessionId))
    .orderBy(asc(sessionEvents.id))
    .limit(limit)
}

/** What a login evicted: the user's sessions that the limit ended in the very moment of that login. */
export function listEvictedBy(db: Reader, login: { userId: number; createdAt: Date }) {
  return db
    .select({ id: sessions.id })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, login.userId),
        eq(sessions.endedAt, login.createdAt),
        eq(sessions.endReason, 'limit_exceeded'),
      ),
    )
}

const replacing = statement('session_replacement', (db) =>
  db
    .select({
      id: sessions.id,
      createdAt: sessions.createdAt,
      userAgent: sessions.userAgent,
      ip: sessions.ip,
      method: sessions.method,
    })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, param(sessions.userId, 'userId')),
        eq(sessions.createdAt, param(sessions.createdAt, 'endedAt')),
      ),
    )
    .orderBy(desc(sessions.id))
    .limit(1),
)

/** The login that evicted a session: the user's session that began in the moment in which this one ended. */
export async function findReplacement(db: Reader, { userId, endedAt }: { userId: number; endedAt: Date }) {
  const [row] = await replacing(db, { userId, endedAt })
  return row
}

/** A user's live sessions, newest first. */
export function listLive(db: Reader, userId: number) {
  return db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, userId), isSeated))
    .orderBy(desc(sessions.id))
}

const walking = statement('sessions_live_walk', (db) =>
  db
    .select({
      id: sessions.id,
      appId: sessions.appId,
      userId: sessions.userId,
      method: sessions.method,
      lastActiveAt: sessions.lastActiveAt,
      expiresAt: sessions.expiresAt,
    })
    .from(sessions)
    .where(and(gt(sessions.id, param(sessions.id, 'after')), isNull(sessions.endedAt)))
    .orderBy(asc(sessions.id))
    .limit(sql.placeholder('limit')),
)

/** Sessions that nobody has ended, of all apps, in the order of their numbers. */
export function walkLive(db: Reader, page: { after: number; limit: number }) {
  return walking(db, page)
}

/** All of a user's sessions that are still kept, ended ones too, newest first. */
export function listOfUser(db: Reader, userId: number) {
  return db.select().from(sessions).where(eq(sessions.userId, userId)).orderBy(desc(sessions.id))
}

/** What happened to all of a user's sessions, in order. */
export function listEventsOfUser(db: Reader, userId: number) {
  const { sessionId, at, kind, detail } = sessionEvents
  return db
    .select({ sessionId, at, kind, detail })
    .from(sessionEvents)
    .innerJoin(sessions, eq(sessions.id, sessionEvents.sessionId))
    .where(eq(sessions.userId, userId))
    .orderBy(asc(sessionEvents.id))
}

/** What a watcher has to know of each of these sessions; those that are gone are missing. */
export function listWatched(db: Reader, ids: number[]) {
  return db
    .select({
      id: sessions.id,
      appId: sessions.appId,
      userId: sessions.userId,
      lastActiveAt: sessions.lastActiveAt,
      expiresAt: sessions.expiresAt,
      endedAt: sessions.endedAt,
      endReason: sessions.endReason,
      appVersion: apps.version,
    })
    .from(sessions)
    .innerJoin(apps, eq(apps.id, sessions.appId))
    .where(inArray(sessions.id, ids))
}

export type WatchedSession = Awaited<ReturnType<typeof listWatched>>[number]
