import { and, asc, count, countDistinct, desc, eq, gt, inArray, isNull, sql, type SQL } from 'drizzle-orm'
import type { Reader } from '#server/db/database.ts'
import { apps, identities, sessions, users } from '#server/db/schema.ts'
import type { SessionSort } from './filterStore.ts'

/** Where a page begins: the sort values of the last row before it. */
export type SessionPosition = { id: number; lastActiveAt: Date; activeSlot: number }

/**
 * A page of sessions, each with what names its app and its user. Ordered by creation through the key, by activity through its slot. The page is chosen before
 * anything is joined to it: a slot is sorted whole.
 * @param page.alongOrder what `selectionOf` says of the filter
 */
export function listSessions(
  db: Reader,
  where: SQL | undefined,
  page: { sort: SessionSort; after: SessionPosition | undefined; limit: number; alongOrder?: boolean },
) {
  const down = page.sort.startsWith('-')
  const direction = down ? desc : asc
  const byActivity = page.sort.endsWith('lastActiveAt')
  const order = byActivity
    ? [direction(sessions.activeSlot), direction(sessions.lastActiveAt), direction(sessions.id)]
    : [direction(sessions.id)]
  const fits = and(where, page.after && beyond(page.after, byActivity, down))
  const slots = byActivity && page.alongOrder ? withinSlots(db, fits, down, page.limit) : undefined
  const chosen = db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(fits, slots))
    .orderBy(...order)
    .limit(page.limit)
  return listed(db)
    .where(inArray(sessions.id, chosen))
    .orderBy(...order)
}

/** Down (or up) to the slot in which a page is full. Without it the next session that fits would be looked for, only to see that it is of another slot. */
function withinSlots(db: Reader, fits: SQL | undefined, down: boolean, limit: number): SQL {
  const { activeSlot } = sessions
  const full = db
    .select({ activeSlot })
    .from(sessions)
    .where(fits)
    .orderBy(down ? desc(activeSlot) : asc(activeSlot))
    .limit(1)
    .offset(limit - 1)
  return down ? sql`${activeSlot} >= coalesce(${full}, 0)` : sql`${activeSlot} <= coalesce(${full}, 2147483647)`
}

const listed = (db: Reader) =>
  db
    .select({
      session: sessions,
      app: { id: apps.id, name: apps.name, version: apps.version },
      userProfile: users.profileSealed,
      subject: identities.subjectSealed,
    })
    .from(sessions)
    .innerJoin(apps, eq(apps.id, sessions.appId))
    .innerJoin(users, eq(users.id, sessions.userId))
    .leftJoin(identities, eq(identities.id, sessions.identityId))

export type ListedSession = Awaited<ReturnType<typeof listSessions>>[number]

function beyond(after: SessionPosition, byActivity: boolean, down: boolean): SQL {
  const than = down ? sql`<` : sql`>`
  if (!byActivity) return sql`${sessions.id} ${than} ${after.id}`
  const at = sql.param(after.lastActiveAt, sessions.lastActiveAt)
  return sql`(${sessions.activeSlot}, ${sessions.lastActiveAt}, ${sessions.id}) ${than} (${after.activeSlot}, ${at}, ${after.id})`
}

export async function findListedSession(db: Reader, id: number): Promise<ListedSession | undefined> {
  const [row] = await listed(db).where(eq(sessions.id, id))
  return row
}

/** How many sessions and users a condition selects, counted up to `most`. */
export async function countSessions(
  db: Reader,
  where: SQL | undefined,
  most: number,
): Promise<{ count: number; users: number }> {
  const some = db.select({ userId: sessions.userId }).from(sessions).where(where).limit(most).as('some')
  const [row] = await db.select({ count: count(), users: countDistinct(some.userId) }).from(some)
  return row!
}

export const live = (now: Date): SQL | undefined => and(isNull(sessions.endedAt), gt(sessions.expiresAt, now))

/** An app's live sessions, each with its place among its user's, the one used last first. */
const ofAppByUse = (db: Reader, appId: number, now: Date) =>
  db
    .select({
      id: sessions.id,
      userId: sessions.userId,
      lastActiveAt: sessions.lastActiveAt,
      place:
        sql<number>`row_number() over (partition by ${sessions.userId} order by ${sessions.lastActiveAt} desc, ${sessions.id} desc)`.as(
          'place',
        ),
    })
    .from(sessions)
    .where(and(eq(sessions.appId, appId), live(now)))
    .as('ranked')

/** Sessions beyond `most` a user, oldest activity first: what a lower limit ends. At most `limit` of them. */
export async function listSurplus(
  db: Reader,
  appId: number,
  most: number,
  now: Date,
  limit: number,
): Promise<number[]> {
  const ranked = ofAppByUse(db, appId, now)
  const rows = await db.select({ id: ranked.id }).from(ranked).where(gt(ranked.place, most)).limit(limit)
  return rows.map((row) => row.id)
}

/** How many sessions of how many users a policy would end now, beyond `most` a user or idle since `idleSince`, and how many live in all. */
export async function countSurplus(db: Reader, appId: number, policy: { most: number; idleSince: Date }, now: Date) {
  const ranked = ofAppByUse(db, appId, now)
  const over = sql`${ranked.place} > ${policy.most} or ${ranked.lastActiveAt} <= ${sql.param(policy.idleSince, sessions.lastActiveAt)}`
  const [row] = await db
    .select({
      sessions: sql<number>`coalesce(sum(case when ${over} then 1 else 0 end), 0)`.mapWith(Number),
      users: sql<number>`count(distinct case when ${over} then ${ranked.userId} end)`.mapWith(Number),
      liveSessions: count(),
    })
    .from(ranked)
  return row!
}
