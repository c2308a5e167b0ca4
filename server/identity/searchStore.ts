import { and, asc, count, eq, gt, gte, inArray, isNotNull, isNull, lte, max } from 'drizzle-orm'
import { byAge, isMadeWithin, type Place } from '#server/db/byAge.ts'
import type { Reader } from '#server/db/database.ts'
import { apps, identities, sessions, users } from '#server/db/schema.ts'
import { isSeated } from '#server/db/seat.ts'

const MOST = 200

/** Users with one of these identities, this username or this e-mail address. */
export async function findUsersByHashes(
  db: Reader,
  hashes: { subjects: Buffer[]; username: Buffer; email: Buffer },
): Promise<number[]> {
  // The index leads with app and kind, and there are few apps: named one by one, so that no engine walks all identities instead.
  const known = await db.select({ id: apps.id }).from(apps)
  const [bySubject, byUsername, byEmail] = await Promise.all([
    db
      .select({ id: identities.userId })
      .from(identities)
      .where(
        and(
          inArray(
            identities.appId,
            known.map(({ id }) => id),
          ),
          inArray(identities.kind, ['telegram', 'ton', 'sso']),
          inArray(identities.subjectHash, hashes.subjects),
        ),
      )
      .limit(MOST),
    db
      .select({ id: identities.userId })
      .from(identities)
      .where(eq(identities.usernameHash, hashes.username))
      .limit(MOST),
    db.select({ id: users.id }).from(users).where(eq(users.emailHash, hashes.email)).limit(MOST),
  ])
  return [...new Set([...bySubject, ...byUsername, ...byEmail].map((row) => row.id))]
}

export type UserFilter = {
  appId?: number | undefined
  ids?: number[] | undefined
  blocked?: boolean | undefined
  createdFrom?: Date | undefined
  createdTo?: Date | undefined
  only?: number[] | undefined
}

const usersWhere = (filter: UserFilter) =>
  and(
    filter.appId === undefined ? undefined : eq(users.appId, filter.appId),
    filter.only ? inArray(users.appId, filter.only.length > 0 ? filter.only : [-1]) : undefined,
    filter.ids ? inArray(users.id, filter.ids.length > 0 ? filter.ids : [-1]) : undefined,
    filter.blocked === undefined ? undefined : filter.blocked ? isNotNull(users.blockedAt) : isNull(users.blockedAt),
    filter.createdFrom ? gte(users.createdAt, filter.createdFrom) : undefined,
    filter.createdTo ? lte(users.createdAt, filter.createdTo) : undefined,
  )

const withinSpan = (db: Reader, { createdFrom, createdTo }: UserFilter) =>
  isMadeWithin(users.id, { from: createdFrom, to: createdTo }, (since, limit) =>
    db
      .select({ id: users.id })
      .from(users)
      .where(gte(users.createdAt, since))
      .orderBy(asc(users.createdAt))
      .limit(limit),
  )

/** Users, newest first, each with its app; `before` is the last of the page before. */
export async function listUsers(db: Reader, page: UserFilter & Partial<Place> & { limit: number }) {
  const { from, order } = byAge(users.id, { newestFirst: true, ...page })
  return db
    .select({ user: users, app: { id: apps.id, name: apps.name } })
    .from(users)
    .innerJoin(apps, eq(apps.id, users.appId))
    .where(and(usersWhere(page), await withinSpan(db, page), from))
    .orderBy(order)
    .limit(page.limit)
}

export type ListedUser = Awaited<ReturnType<typeof listUsers>>[number]

/** What a list shows of its users besides their own row: identities, live sessions, last sign-in. */
export async function describeUsers(db: Reader, ids: number[], now: Date) {
  if (ids.length === 0) return { identities: [], live: [], signIns: [] }
  const [found, live, signIns] = await Promise.all([
    db.select().from(identities).where(inArray(identities.userId, ids)).orderBy(asc(identities.id)),
    db
      .select({ userId: sessions.userId, n: count() })
      .from(sessions)
      .where(and(inArray(sessions.userId, ids), isSeated, gt(sessions.expiresAt, now)))
      .groupBy(sessions.userId),
    db
      .select({ userId: sessions.userId, at: max(sessions.createdAt) })
      .from(sessions)
      .where(inArray(sessions.userId, ids))
      .groupBy(sessions.userId),
  ])
  return { identities: found, live, signIns }
}

/** How many users there are, counted up to `most`. */
export async function countUsers(db: Reader, filter: UserFilter, most: number): Promise<number> {
  const where = and(usersWhere(filter), await withinSpan(db, filter))
  const some = db.select({ id: users.id }).from(users).where(where).limit(most).as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
}
