import {
  and,
  asc,
  count,
  countDistinct,
  desc,
  eq,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lte,
  or,
  sql,
  type Column,
  type SQL,
  type SQLWrapper,
} from 'drizzle-orm'
import type { Reader } from '#server/db/database.ts'
import { apps, identities, sessions, users } from '#server/db/schema.ts'
import { slotOf } from '#server/db/slot.ts'
import { beginsWith } from '#server/db/text.ts'
import { unindexed } from '#server/db/unindexed.ts'
import type { NetworkText } from '#server/http/network.ts'
import type { EndReason, SignInMethod } from './session.ts'

/** What a list of sessions is narrowed to; every member that is given must hold. */
export type SessionFilter = {
  appId?: number | undefined
  userId?: number | undefined
  status?: 'active' | 'ended' | undefined
  reason?: EndReason | undefined
  method?: SignInMethod | undefined
  /** As the table keeps it; null is unknown. */
  device?: number | null | undefined
  country?: string | null | undefined
  ip?: NetworkText | undefined
  /** One of these sessions, or one of these users' sessions, or sessions from this address. */
  match?: { sessionId?: number | undefined; userIds?: number[]; ip?: NetworkText | undefined } | undefined
  createdFrom?: Date | undefined
  createdTo?: Date | undefined
  activeFrom?: Date | undefined
  activeTo?: Date | undefined
  endedFrom?: Date | undefined
  endedTo?: Date | undefined
  /** Apps the asking operator may see; undefined is all. */
  only?: number[] | undefined
}

export type SessionSort = 'createdAt' | '-createdAt' | 'lastActiveAt' | '-lastActiveAt'

/** Members of a filter whose index is passed over: they are looked at in what another index, or the list's own order, brings. */
type Aside = ReadonlySet<Narrowing>
type Narrowing = 'appId' | 'device' | 'country' | 'method' | 'reason' | 'ip'

/** A filter as a condition. Sessions that time has ended count as active until the sweep has noted it, some seconds later. */
export function sessionsWhere(filter: SessionFilter, now: Date, aside: Aside = new Set()): SQL | undefined {
  const { match } = filter
  const narrowed = narrowing(filter)
  const ip = aside.has('ip') ? unindexed(sessions.ip) : sessions.ip
  return and(
    ...narrowed.map(({ by, column, where }) => where(aside.has(by) ? unindexed(column) : column)),
    filter.userId === undefined ? undefined : eq(sessions.userId, filter.userId),
    filter.status === 'active' ? and(isNull(sessions.endedAt), gt(sessions.expiresAt, now)) : undefined,
    filter.status === 'ended' ? isNotNull(sessions.endedAt) : undefined,
    filter.ip ? from(ip, filter.ip) : undefined,
    match
      ? (or(
          match.sessionId === undefined ? undefined : eq(sessions.id, match.sessionId),
          match.userIds?.length ? inArray(sessions.userId, match.userIds) : undefined,
          match.ip ? from(ip, match.ip) : undefined,
        ) ?? sql`1 = 0`)
      : undefined,
    filter.createdFrom ? gte(sessions.createdAt, filter.createdFrom) : undefined,
    filter.createdTo ? lte(sessions.createdAt, filter.createdTo) : undefined,
    filter.endedFrom ? gte(sessions.endedAt, filter.endedFrom) : undefined,
    filter.endedTo ? lte(sessions.endedAt, filter.endedTo) : undefined,
    filter.activeFrom
      ? and(gte(sessions.activeSlot, slotOf(filter.activeFrom)), gte(sessions.lastActiveAt, filter.activeFrom))
      : undefined,
    filter.activeTo
      ? and(lte(sessions.activeSlot, slotOf(filter.activeTo)), lte(sessions.lastActiveAt, filter.activeTo))
      : undefined,
  )
}

/** What in a filter has few values, each with an index of its own. */
function narrowing({ appId, only, device, country, method, reason }: SessionFilter) {
  const narrowed: { by: Narrowing; column: Column; where: (column: SQLWrapper) => SQL }[] = []
  const add = (by: Narrowing, column: Column, value: number | string | null | undefined) => {
    if (value !== undefined) narrowed.push({ by, column, where: (at) => (value === null ? isNull(at) : eq(at, value)) })
  }
  add('appId', sessions.appId, appId)
  if (only) {
    const where = (at: SQLWrapper) => inArray(at, only.length > 0 ? only : [-1])
    narrowed.push({ by: 'appId', column: sessions.appId, where })
  }
  add('device', sessions.device, device)
  add('country', sessions.country, country)
  add('method', sessions.method, method)
  add('reason', sessions.endReason, reason)
  return narrowed
}

/** So many rows are put in order faster than they are looked for along another order. */
const FEW = 10_000

/**
 * Which indexes a list by this filter passes over. What few sessions have (a kind of device, a country, an app, an address of a network) is found by its index, and
 * everything else looked at in what that finds; what many have is met soon enough on the way along the list's order. SQLite, which keeps no figures of our
 * rows, would take whichever index comes first.
 * @param sort undefined where no order is asked for
 */
export async function asideOf(db: Reader, filter: SessionFilter, sort?: SessionSort): Promise<Aside> {
  const narrowed = narrowing(filter)
  const all = new Set(narrowed.map(({ by }) => by))
  const network = filter.ip ?? filter.match?.ip
  const wide =
    network !== undefined && network.beginnings.length > 0 && !(await hasFewer(db, from(sessions.ip, network)))
  if (filter.userId !== undefined || ((filter.ip || filter.match) && !wide)) return all
  if (wide) all.add('ip')
  for (const { by, column, where } of narrowed) {
    if (!(await hasFewer(db, where(column)))) continue
    all.delete(by)
    return all
  }
  if (sort?.endsWith('lastActiveAt')) return all
  return new Set(wide ? ['ip'] : [])
}

async function hasFewer(db: Reader, where: SQL | undefined): Promise<boolean> {
  const some = db.select({ id: sessions.id }).from(sessions).where(where).limit(FEW).as('some')
  const [row] = await db.select({ count: count() }).from(some)
  return row!.count < FEW
}

const from = (ip: SQLWrapper, { whole, beginnings }: NetworkText): SQL =>
  or(whole.length > 0 ? inArray(ip, whole) : undefined, ...beginnings.map((beginning) => beginsWith(ip, beginning)))!

/** Where a page begins: the sort values of the last row before it. */
export type SessionPosition = { id: number; lastActiveAt: Date; activeSlot: number }

/** A page of sessions, each with what names its app and its user. Ordered by creation through the key, by activity through its slot. */
export function listSessions(
  db: Reader,
  where: SQL | undefined,
  page: { sort: SessionSort; after: SessionPosition | undefined; limit: number },
) {
  const down = page.sort.startsWith('-')
  const direction = down ? desc : asc
  const byActivity = page.sort.endsWith('lastActiveAt')
  const order = byActivity
    ? [direction(sessions.activeSlot), direction(sessions.lastActiveAt), direction(sessions.id)]
    : [direction(sessions.id)]
  return db
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
    .where(and(where, page.after && beyond(page.after, byActivity, down)))
    .orderBy(...order)
    .limit(page.limit)
}

export type ListedSession = Awaited<ReturnType<typeof listSessions>>[number]

function beyond(after: SessionPosition, byActivity: boolean, down: boolean): SQL {
  const than = down ? sql`<` : sql`>`
  if (!byActivity) return sql`${sessions.id} ${than} ${after.id}`
  const at = sql.param(after.lastActiveAt, sessions.lastActiveAt)
  return sql`(${sessions.activeSlot}, ${sessions.lastActiveAt}, ${sessions.id}) ${than} (${after.activeSlot}, ${at}, ${after.id})`
}

export async function findListedSession(db: Reader, id: number): Promise<ListedSession | undefined> {
  const [row] = await listSessions(db, eq(sessions.id, id), { sort: '-createdAt', after: undefined, limit: 1 })
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
