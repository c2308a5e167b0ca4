import { and, asc, count, desc, eq, gte, inArray, lt, lte, or, sql, sum, type SQL } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apps, attempts, deliveries, events, laneHours, webhookEndpoints } from '#server/db/schema.ts'
import type { DeliveryRow } from './store.ts'

/** What the log is narrowed to; every member that is given must hold. */
export type LogFilter = {
  appId?: number | undefined
  type?: string | undefined
  /** One of these events, or about one of these people. */
  match?: { eventIds: number[]; subjectKeys: number[]; userIds: number[] } | undefined
  status?: DeliveryRow['status'] | 'retrying' | undefined
  channel?: DeliveryRow['channel'] | undefined
  endpointId?: number | undefined
  from?: Date | undefined
  to?: Date | undefined
  /** Only deliveries that may be sent again. */
  replayable?: boolean | undefined
  /** Apps the asking operator may see; undefined is all. */
  only?: number[] | undefined
}

/** Clocks of several processes differ by less than this; events are numbered about in the order of their times. */
const SKEW_MS = 60_000
/** Deliveries looked at in one read, and reads a page takes at the most. */
const CHUNK = 500
const MOST_CHUNKS = 40

const listed = {
  id: events.id,
  appId: events.appId,
  type: events.type,
  userId: events.userId,
  payloadSealed: events.payloadSealed,
  source: events.source,
  createdAt: events.createdAt,
  appName: apps.name,
}

const ofEvents = (filter: LogFilter): SQL | undefined => {
  const { match } = filter
  return and(
    filter.appId === undefined ? undefined : eq(events.appId, filter.appId),
    filter.only ? inArray(events.appId, filter.only.length > 0 ? filter.only : [-1]) : undefined,
    filter.type === undefined ? undefined : eq(events.type, filter.type),
    match
      ? (or(
          match.eventIds.length > 0 ? inArray(events.id, match.eventIds) : undefined,
          match.subjectKeys.length > 0 ? inArray(events.subjectKey, match.subjectKeys) : undefined,
          match.userIds.length > 0 ? inArray(events.userId, match.userIds) : undefined,
        ) ?? sql`1 = 0`)
      : undefined,
    filter.from ? gte(events.createdAt, filter.from) : undefined,
    filter.to ? lte(events.createdAt, filter.to) : undefined,
  )
}

/** Conditions on a delivery, the status spelled as the indexes are (db/schema/delivery.ts). */
function ofDeliveries({ status, channel, endpointId, replayable }: LogFilter): SQL | undefined {
  const word = status === 'retrying' ? 'pending' : status
  return and(
    word === undefined ? undefined : sql`${deliveries.status} = ${sql.raw(`'${word}'`)}`,
    status === 'retrying' ? sql`${deliveries.tries} > 0` : undefined,
    channel === undefined ? undefined : eq(deliveries.channel, channel),
    // The plus keeps SQLite from walking all of an endpoint's deliveries for the few of a rare status.
    endpointId === undefined
      ? undefined
      : status && status !== 'delivered'
        ? sql`+${deliveries.lane} = ${endpointId}`
        : eq(deliveries.lane, endpointId),
    channel && channel !== 'webhook' ? sql`${deliveries.channel} <> 'webhook'` : undefined,
    // Over an app's bot, or to an endpoint that is still there.
    replayable
      ? or(
          lt(deliveries.lane, 0),
          sql`exists (select 1 from ${webhookEndpoints} where ${webhookEndpoints.id} = ${deliveries.lane})`,
        )
      : undefined,
  )
}

type Page = { before?: number | undefined; after?: number | undefined; limit: number }

/** A page of the log, newest first; with `after`, what came since, oldest first. `seenTo` is how far it has looked, for the next page. */
export async function listLog(db: Reader, filter: LogFilter, page: Page) {
  const bounds = await boundsOf(db, filter, page)
  const byDelivery = ofDeliveries(filter)
  const few = filter.match !== undefined
  const rare =
    (filter.status !== undefined && filter.status !== 'delivered') ||
    (filter.channel !== undefined && filter.channel !== 'webhook') ||
    filter.endpointId !== undefined
  if (!few && rare && byDelivery) return listByDeliveries(db, filter, byDelivery, bounds, page.limit)
  const owed =
    byDelivery && sql`exists (select 1 from ${deliveries} where ${deliveries.eventId} = ${events.id} and ${byDelivery})`
  const rows = await selectEvents(db, and(ofEvents(filter), within(events.id, bounds), owed), page)
  return { rows, seenTo: undefined }
}

type Bounds = { above: number | undefined; below: number | undefined; oldestFirst: boolean }

const within = (column: typeof events.id | typeof deliveries.eventId | SQL, { above, below }: Bounds) =>
  and(
    above === undefined ? undefined : sql`${column} > ${above}`,
    below === undefined ? undefined : sql`${column} < ${below}`,
  )

function selectEvents(db: Reader, where: SQL | undefined, page: { after?: number | undefined; limit: number }) {
  return db
    .select(listed)
    .from(events)
    .innerJoin(apps, eq(apps.id, events.appId))
    .where(where)
    .orderBy(page.after === undefined ? desc(events.id) : asc(events.id))
    .limit(page.limit)
}

export type LogRow = Awaited<ReturnType<typeof selectEvents>>[number]

/** From the few deliveries that meet a rare condition to their events, some hundreds at a time. */
async function listByDeliveries(db: Reader, filter: LogFilter, owed: SQL, bounds: Bounds, limit: number) {
  const rows: LogRow[] = []
  const { oldestFirst } = bounds
  // What waits has no index in the order of events, and is few: it is sorted. The plus keeps the database from walking all events instead.
  const waits = filter.status === 'pending' || filter.status === 'retrying' || filter.status === 'sending'
  const eventId = waits
    ? sql<number>`+${deliveries.eventId}`.mapWith(Number)
    : sql<number>`${deliveries.eventId}`.mapWith(Number)
  let at = bounds
  for (let chunk = 0; chunk < MOST_CHUNKS; chunk++) {
    const candidates = await db
      .selectDistinct({ eventId })
      .from(deliveries)
      .where(and(owed, within(eventId, at)))
      .orderBy(oldestFirst ? sql`1 asc` : sql`1 desc`)
      .limit(CHUNK)
    const ids = candidates.map((one) => one.eventId)
    if (ids.length > 0) {
      const page = { after: oldestFirst ? 0 : undefined, limit: limit - rows.length }
      rows.push(...(await selectEvents(db, and(ofEvents(filter), inArray(events.id, ids)), page)))
    }
    if (rows.length >= limit || ids.length < CHUNK) return { rows, seenTo: undefined }
    at = oldestFirst ? { ...at, above: ids.at(-1)! } : { ...at, below: ids.at(-1)! }
  }
  return { rows, seenTo: oldestFirst ? at.above : at.below }
}

/** The numbers between which the wanted events lie: from the page's cursor and, through the index of times, from the filter's. */
async function boundsOf(db: Reader, { from, to }: LogFilter, page: Page): Promise<Bounds> {
  const first = async (since: Date) => {
    const [row] = await db
      .select({ id: events.id })
      .from(events)
      .where(gte(events.createdAt, since))
      .orderBy(asc(events.createdAt))
      .limit(1)
    return row?.id
  }
  const start = from && (await first(new Date(from.getTime() - SKEW_MS)))
  const end = to && (await first(new Date(to.getTime() + SKEW_MS)))
  // Nothing so late: nothing lies above the last event there is.
  const none = from !== undefined && start === undefined ? Number.MAX_SAFE_INTEGER : undefined
  const above = [page.after, start === undefined ? none : start - 1].filter((id) => id !== undefined)
  const below = [page.before, end].filter((id) => id !== undefined)
  return {
    above: above.length > 0 ? Math.max(...above) : undefined,
    below: below.length > 0 ? Math.min(...below) : undefined,
    oldestFirst: page.after !== undefined,
  }
}

/** How many deliveries of a filter there are, counted up to `most`. */
export async function countLog(db: Reader, filter: LogFilter, most: number): Promise<number> {
  const bounds = await boundsOf(db, filter, { limit: most })
  const some = db
    .select({ id: deliveries.id })
    .from(deliveries)
    .innerJoin(events, eq(events.id, deliveries.eventId))
    .where(and(ofDeliveries(filter), ofEvents(filter), within(deliveries.eventId, bounds)))
    .limit(most)
    .as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
}

/** How many tries at endpoints were taken and how many failed in some hours, the last one included. */
export async function sumTries(
  db: Reader,
  { hours: [first, last], appIds }: { hours: [number, number]; appIds: number[] | undefined },
): Promise<{ delivered: number; failed: number }> {
  const [row] = await db
    .select({ delivered: sum(laneHours.delivered).mapWith(Number), failed: sum(laneHours.failed).mapWith(Number) })
    .from(laneHours)
    .innerJoin(webhookEndpoints, eq(webhookEndpoints.id, laneHours.lane))
    .where(
      and(
        gte(laneHours.hour, first),
        lte(laneHours.hour, last),
        appIds && inArray(webhookEndpoints.appId, appIds.length > 0 ? appIds : [-1]),
      ),
    )
  return { delivered: row?.delivered ?? 0, failed: row?.failed ?? 0 }
}

/** Everything owed because of some events, with the endpoints it goes to. */
export async function deliveriesOf(db: Reader, eventIds: number[]) {
  if (eventIds.length === 0) return []
  return db
    .select({ delivery: deliveries, url: webhookEndpoints.url, format: webhookEndpoints.payloadFormat })
    .from(deliveries)
    .leftJoin(webhookEndpoints, eq(webhookEndpoints.id, deliveries.lane))
    .where(inArray(deliveries.eventId, eventIds))
    .orderBy(asc(deliveries.id))
}

export type OwedRow = Awaited<ReturnType<typeof deliveriesOf>>[number]

export async function attemptsOf(db: Reader, deliveryIds: number[]) {
  if (deliveryIds.length === 0) return []
  return db.select().from(attempts).where(inArray(attempts.deliveryId, deliveryIds)).orderBy(asc(attempts.id))
}

export async function findListed(db: Reader, id: number): Promise<LogRow | undefined> {
  const [row] = await selectEvents(db, eq(events.id, id), { limit: 1 })
  return row
}

/** The number of the newest event, where a live tail begins. */
export async function lastEvent(db: Reader): Promise<number> {
  const [row] = await db.select({ id: events.id }).from(events).orderBy(desc(events.id)).limit(1)
  return row?.id ?? 0
}

/** Deliveries of a filter that may be sent again, oldest first, some at a time. */
export async function listReplayable(
  db: Reader,
  filter: LogFilter,
  page: { after: number; upTo: number; limit: number },
): Promise<{ id: number; lane: number | null }[]> {
  const bounds = await boundsOf(db, filter, { limit: page.limit })
  return db
    .select({ id: deliveries.id, lane: deliveries.lane })
    .from(deliveries)
    .innerJoin(events, eq(events.id, deliveries.eventId))
    .where(
      and(
        ofDeliveries({ ...filter, replayable: true }),
        ofEvents(filter),
        within(deliveries.eventId, bounds),
        sql`${deliveries.id} > ${page.after}`,
        sql`${deliveries.id} <= ${page.upTo}`,
      ),
    )
    .orderBy(asc(deliveries.id))
    .limit(page.limit)
}

export async function lastDelivery(db: Reader): Promise<number> {
  const [row] = await db.select({ id: deliveries.id }).from(deliveries).orderBy(desc(deliveries.id)).limit(1)
  return row?.id ?? 0
}

/** Makes deliveries due again with the whole schedule before them, whatever became of them; those under way are left alone. */
export async function renew(tx: Transaction, ids: number[], now: Date) {
  if (ids.length === 0) return []
  return tx
    .update(deliveries)
    .set({ status: 'pending', nextAt: now, step: 0, worker: null, finishedAt: null })
    .where(
      and(inArray(deliveries.id, ids), sql`${deliveries.status} <> 'sending'`, sql`${deliveries.lane} is not null`),
    )
    .returning({ id: deliveries.id, lane: deliveries.lane })
}

/** Removes events from before `before`, some at a time, but not those of which something is still owed or dead; returns how many. */
export async function deleteOldEvents(tx: Transaction, before: Date, deadBefore: Date, limit: number): Promise<number> {
  const unsettled = sql`exists (select 1 from ${deliveries} where ${deliveries.eventId} = ${events.id} and ${deliveries.status} in ('pending', 'sending', 'held', 'dead'))`
  const some = tx
    .select({ id: events.id })
    .from(events)
    .where(and(lt(events.createdAt, before), or(lt(events.createdAt, deadBefore), sql`not ${unsettled}`)))
    .orderBy(asc(events.createdAt))
    .limit(limit)
  const rows = await tx.delete(events).where(inArray(events.id, some)).returning({ id: events.id })
  return rows.length
}
