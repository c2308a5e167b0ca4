import { and, asc, count, desc, eq, gte, inArray, lt, lte, max, min, or, sql, type SQL } from 'drizzle-orm'
import { madeWithin } from '#server/db/byAge.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apps, attempts, deliveries, emails, events, webhookEndpoints } from '#server/db/schema.ts'
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

/** As many events are all looked at; more are walked through from the newest, or from the other side. */
const FEW = 1_000
/** What one page looks at in turn before it says how far it came. */
const STEPS = [500, 1_500, 4_000, 6_000]

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
    status === 'pending' ? sql`${deliveries.tries} = 0` : undefined,
    channel === undefined ? undefined : eq(deliveries.channel, channel),
    // The plus keeps SQLite from walking all of an endpoint's deliveries for the few of a rare status.
    endpointId === undefined
      ? undefined
      : isRare(status)
        ? sql`+${deliveries.lane} = ${endpointId}`
        : eq(deliveries.lane, endpointId),
    // With these words SQLite takes the index of what goes to people; for a rare status its own is shorter.
    channel && channel !== 'webhook' && !isRare(status) ? sql`${deliveries.channel} <> 'webhook'` : undefined,
    // Over an app's bot, to an endpoint that is still there, or as a mail that still has its text.
    replayable
      ? or(
          lt(deliveries.lane, 0),
          sql`exists (select 1 from ${webhookEndpoints} where ${webhookEndpoints.id} = ${deliveries.lane})`,
          and(
            sql`${deliveries.channel} = 'email' and ${deliveries.status} <> 'pending'`,
            sql`exists (select 1 from ${emails} where ${emails.deliveryId} = ${deliveries.id} and ${emails.variablesSealed} is not null and coalesce(${emails.reason}, '') <> 'address_invalid')`,
          ),
        )
      : undefined,
  )
}

const isRare = (status: LogFilter['status']) => status !== undefined && status !== 'delivered'

type Page = { before?: number | undefined; after?: number | undefined; limit: number }

/** A page of the log, newest first; with `after`, what came since, oldest first. `seenTo` is how far it has looked, for the next page. */
export async function listLog(db: Reader, asked: LogFilter, page: Page) {
  const filter = await agree(db, asked)
  if (!filter) return { rows: [], seenTo: undefined }
  const bounds = await boundsOf(db, filter, page)
  const owed = ofDeliveries(filter)
  if (!owed) {
    const rows = await selectEvents(db, and(ofEvents(filter), within(events.id, bounds)), page)
    return { rows, seenTo: undefined }
  }
  return walk(db, filter, owed, { bounds, limit: page.limit, side: await sideOf(db, filter, bounds) })
}

/** An endpoint belongs to one app: a filter that names another matches nothing (undefined). */
async function agree(db: Reader, filter: LogFilter): Promise<LogFilter | undefined> {
  const { endpointId, appId } = filter
  if (endpointId === undefined || appId === undefined) return filter
  const [row] = await db
    .select({ appId: webhookEndpoints.appId })
    .from(webhookEndpoints)
    .where(eq(webhookEndpoints.id, endpointId))
  if (row && row.appId !== appId) return undefined
  return row ? { ...filter, appId: undefined } : filter
}

type Side = 'events' | 'deliveries'

/** From where the rows of a filter are found sooner: from the events or from the deliveries that meet its conditions. */
async function sideOf(db: Reader, filter: LogFilter, bounds: Bounds): Promise<Side> {
  const { status, channel, endpointId, appId, type, match, only } = filter
  const narrow = appId !== undefined || type !== undefined || match !== undefined
  const byPerson = channel !== undefined && channel !== 'webhook'
  if (!isRare(status) && !byPerson && endpointId === undefined) return 'events'
  const bounded = bounds.above !== undefined && bounds.below !== undefined
  if (narrow || only || bounded) {
    const some = db
      .select({ id: events.id })
      .from(events)
      .where(and(ofEvents({ ...filter, from: undefined, to: undefined }), within(events.id, bounds)))
      .limit(FEW + 1)
      .as('some')
    const [row] = await db.select({ n: count() }).from(some)
    if (row!.n <= FEW) return 'events'
  }
  if (isRare(status) || endpointId !== undefined) return 'deliveries'
  return narrow ? 'events' : 'deliveries'
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

type Walk = { bounds: Bounds; limit: number; side: Side }

/**
 * Takes what meets the conditions of one side in the order of events, more and more at a time, and keeps what meets those of the other, until the
 * page is full or there is no more. A page that would have to look at too much says how far it came.
 */
async function walk(db: Reader, filter: LogFilter, owed: SQL, { bounds, limit, side }: Walk) {
  const found: number[] = []
  const { oldestFirst } = bounds
  let at = bounds
  let seenTo: number | undefined
  for (const size of STEPS) {
    const some = candidates(db, filter, owed, { at, size, side })
    const held = sql`exists (select 1 from ${deliveries} where ${deliveries.eventId} = ${events.id} and ${owed})`
    const rows = await db
      .select({ id: some.id })
      .from(some)
      .innerJoin(events, eq(events.id, some.id))
      .where(side === 'events' ? held : ofEvents(filter))
      .orderBy(oldestFirst ? asc(some.id) : desc(some.id))
      .limit(limit - found.length)
    found.push(...rows.map(({ id }) => id))
    if (found.length >= limit) break
    const [looked] = await db
      .select({ n: count(), last: oldestFirst ? max(some.id) : min(some.id) })
      .from(candidates(db, filter, owed, { at, size, side }))
    if (looked!.n < size) break
    const last = Number(looked!.last)
    if (size === STEPS.at(-1)) seenTo = last
    at = oldestFirst ? { ...at, above: last } : { ...at, below: last }
  }
  const page = { after: oldestFirst ? 0 : undefined, limit }
  return { rows: found.length > 0 ? await selectEvents(db, inArray(events.id, found), page) : [], seenTo }
}

/** Numbers of events that meet the conditions of one side, in order. */
function candidates(
  db: Reader,
  filter: LogFilter,
  owed: SQL,
  { at, size, side }: { at: Bounds; size: number; side: Side },
) {
  const order = at.oldestFirst ? sql`1 asc` : sql`1 desc`
  if (side === 'events')
    return db
      .select({ id: sql<number>`${events.id}`.mapWith(Number).as('candidate') })
      .from(events)
      .where(and(ofEvents(filter), within(events.id, at)))
      .orderBy(order)
      .limit(size)
      .as('some')
  // What is being sent has no index in the order of events, and is few: it is sorted. The plus keeps the database from walking all events instead.
  const eventId = filter.status === 'sending' ? sql`+${deliveries.eventId}` : sql`${deliveries.eventId}`
  return db
    .selectDistinct({ id: sql<number>`${eventId}`.mapWith(Number).as('candidate') })
    .from(deliveries)
    .where(and(owed, within(eventId, at)))
    .orderBy(order)
    .limit(size)
    .as('some')
}

/** The numbers between which the wanted events lie: from the page's cursor and, through the index of times, from the filter's. */
async function boundsOf(db: Reader, { from, to }: LogFilter, page: Page): Promise<Bounds> {
  const { start, end } = await madeWithin({ from, to }, (since, limit) =>
    db
      .select({ id: events.id })
      .from(events)
      .where(gte(events.createdAt, since))
      .orderBy(asc(events.createdAt))
      .limit(limit),
  )
  const above = [page.after, start === undefined ? undefined : start - 1].filter((id) => id !== undefined)
  const below = [page.before, end].filter((id) => id !== undefined)
  return {
    above: above.length > 0 ? Math.max(...above) : undefined,
    below: below.length > 0 ? Math.min(...below) : undefined,
    oldestFirst: page.after !== undefined,
  }
}

/** How many deliveries of a filter there are, counted up to `most`. */
export async function countLog(db: Reader, asked: LogFilter, most: number): Promise<number> {
  const filter = await agree(db, asked)
  if (!filter) return 0
  const bounds = await boundsOf(db, filter, { limit: most })
  const owed = and(ofDeliveries(filter), within(deliveries.eventId, bounds))
  const ofEvent = ofEvents(filter)
  const both = and(eq(events.id, deliveries.eventId), owed, ofEvent)
  const counted = { id: deliveries.id }
  // A cross join is one that SQLite makes in the order it is written.
  const some = (
    !ofEvent
      ? db.select(counted).from(deliveries).where(owed)
      : (await sideOf(db, filter, bounds)) === 'events'
        ? db.select(counted).from(events).crossJoin(deliveries).where(both)
        : db.select(counted).from(deliveries).crossJoin(events).where(both)
  )
    .limit(most)
    .as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
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
