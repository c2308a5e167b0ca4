import {
  and,
  count,
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
import { sessions } from '#server/db/schema.ts'
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

/** A filter as a condition, with the indexes it is to use. */
export type Selection = {
  where: SQL | undefined
  /** Whether what fits is met along the list's order, and not found by an index of its own and put in order. */
  alongOrder: boolean
}

/** @param sort undefined where no order is asked for */
export async function selectionOf(
  db: Reader,
  filter: SessionFilter,
  now: Date,
  sort?: SessionSort,
): Promise<Selection> {
  const { aside, alongOrder } = await indexesFor(db, filter, sort)
  return { where: sessionsWhere(filter, now, aside), alongOrder }
}

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
 */
async function indexesFor(
  db: Reader,
  filter: SessionFilter,
  sort: SessionSort | undefined,
): Promise<{ aside: Aside; alongOrder: boolean }> {
  const narrowed = narrowing(filter)
  const all = new Set(narrowed.map(({ by }) => by))
  const network = filter.ip ?? filter.match?.ip
  const wide =
    network !== undefined && network.beginnings.length > 0 && !(await hasFewer(db, from(sessions.ip, network)))
  if (filter.userId !== undefined || ((filter.ip || filter.match) && !wide)) return { aside: all, alongOrder: false }
  if (wide) all.add('ip')
  for (const { by, column, where } of narrowed) {
    if (!(await hasFewer(db, where(column)))) continue
    all.delete(by)
    return { aside: all, alongOrder: false }
  }
  return { aside: sort?.endsWith('lastActiveAt') ? all : new Set(wide ? ['ip'] : []), alongOrder: true }
}

async function hasFewer(db: Reader, where: SQL | undefined): Promise<boolean> {
  const some = db.select({ id: sessions.id }).from(sessions).where(where).limit(FEW).as('some')
  const [row] = await db.select({ count: count() }).from(some)
  return row!.count < FEW
}

const from = (ip: SQLWrapper, { whole, beginnings }: NetworkText): SQL =>
  or(whole.length > 0 ? inArray(ip, whole) : undefined, ...beginnings.map((beginning) => beginsWith(ip, beginning)))!
