import { and, asc, eq, inArray, lt, sql, type Column } from 'drizzle-orm'
import { unclaimed } from '#server/db/claim.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { attempts, deliveries, events, laneHours, laneSequences } from '#server/db/schema.ts'
import { byLength, inExactPieces, inPieces, place, places } from '#server/db/lengths.ts'
import { changeStatement, insertStatement, orNull, param, statement } from '#server/db/statement.ts'

export type DeliveryRow = typeof deliveries.$inferSelect
export type AttemptRow = typeof attempts.$inferSelect

// Statuses are spelled as literals wherever an index is made for some of them only (db/schema/delivery.ts).
const isPending = sql`${deliveries.status} = 'pending'`
export const isSending = sql`${deliveries.status} = 'sending'`

const insertion = insertStatement('delivery_insert', deliveries.id, (db) =>
  db.insert(deliveries).values({
    eventId: sql.placeholder('eventId'),
    channel: sql.placeholder('channel'),
    lane: sql.placeholder('lane'),
    status: sql.placeholder('status'),
    nextAt: orNull(deliveries.nextAt, 'nextAt'),
    orderKey: sql.placeholder('orderKey'),
    seq: sql.placeholder('seq'),
    extended: sql.placeholder('extended'),
    reason: sql.placeholder('reason'),
    finishedAt: orNull(deliveries.finishedAt, 'finishedAt'),
  }),
)

export type NewDelivery = Pick<DeliveryRow, 'eventId' | 'channel' | 'status'> & Partial<DeliveryRow>

/** @returns the new row's number */
export async function insertDelivery(tx: Transaction, delivery: NewDelivery): Promise<number> {
  const nothing = { lane: null, nextAt: null, orderKey: null, seq: null, reason: null, finishedAt: null }
  return insertion(tx, { ...nothing, extended: false, ...delivery })
}

const numbering = statement('lane_sequence_next', (db) =>
  db
    .insert(laneSequences)
    .values({ lane: sql.placeholder('lane'), subjectKey: sql.placeholder('subjectKey'), last: 1 })
    .onConflictDoUpdate({
      target: [laneSequences.lane, laneSequences.subjectKey],
      set: { last: sql`${laneSequences.last} + 1` },
    })
    .returning({ last: laneSequences.last }),
)

/** The next number of a person's events in a lane, beginning at 1, without gaps: it is taken with what is numbered. */
export async function nextSequence(tx: Transaction, lane: number, subjectKey: number): Promise<number> {
  const [row] = await numbering(tx, { lane, subjectKey })
  return row!.last
}

const claimed = {
  id: deliveries.id,
  eventId: deliveries.eventId,
  step: deliveries.step,
  tries: deliveries.tries,
  seq: deliveries.seq,
  extended: deliveries.extended,
}

const due = sql`${deliveries.lane} = ${param(deliveries.lane, 'lane')} and ${isPending} and ${deliveries.nextAt} <= ${param(deliveries.nextAt, 'now')}`

// An earlier event of the same person that is not settled yet holds back the later ones, and nobody else's.
const first = sql`not exists (select 1 from deliveries as earlier where earlier.lane = ${deliveries.lane} and earlier.order_key = ${deliveries.orderKey} and earlier.id < ${deliveries.id} and earlier.order_key is not null and earlier.status in ('pending', 'sending'))`

const claiming = (name: string, more?: typeof first) =>
  statement(name, (db) =>
    db
      .update(deliveries)
      .set({ status: 'sending', worker: sql.placeholder('worker') as unknown as number })
      .where(
        unclaimed(
          deliveries.id,
          sql`select ${deliveries.id} from ${deliveries} where ${due}${more ? sql` and ${more}` : sql``} order by ${deliveries.nextAt}, ${deliveries.id} limit ${sql.placeholder('limit')}`,
        ),
      )
      .returning(claimed),
  )

const claimAny = claiming('deliveries_claim')
const claimFirst = claiming('deliveries_claim_ordered', first)

export type Claimed = Awaited<ReturnType<typeof claimAny>>[number]

/** Takes up to `limit` deliveries of a lane that are due, for one worker to send. */
export async function claimDeliveries(
  tx: Transaction,
  claim: { lane: number; worker: number; now: Date; limit: number },
  ordered: boolean,
): Promise<Claimed[]> {
  return ordered ? claimFirst(tx, claim) : claimAny(tx, claim)
}

const eventsFound = byLength((length) =>
  statement(`events_of_${length}`, (db) => {
    const { id, appId, type, userId, payloadSealed, createdAt } = events
    return db
      .select({ id, appId, type, userId, payloadSealed, createdAt })
      .from(events)
      .where(inArray(id, places(length)))
  }),
)

export type ClaimedEvent = Pick<
  typeof events.$inferSelect,
  'id' | 'appId' | 'type' | 'userId' | 'payloadSealed' | 'createdAt'
>

/** The events of claimed deliveries, by number. */
export async function eventsOf(db: Reader, ids: number[]): Promise<Map<number, ClaimedEvent>> {
  const found = new Map<number, ClaimedEvent>()
  for (const { length, values } of inPieces([...new Set(ids)]))
    for (const row of await eventsFound[length](db, values)) found.set(row.id, row)
  return found
}

const dueLanes = statement('lanes_due', (db) => {
  // From one lane to the next through the index, however much waits in each.
  const lanes = sql`(with recursive waiting(lane) as (
      select (select min(${deliveries.lane}) from ${deliveries} where ${isPending})
      union all
      select (select min(${deliveries.lane}) from ${deliveries} where ${isPending} and ${deliveries.lane} > waiting.lane)
        from waiting where waiting.lane is not null
    ) select lane from waiting where lane is not null) as lanes`
  return db
    .select({ lane: sql<number>`lanes.lane`.mapWith(Number) })
    .from(lanes)
    .where(
      sql`exists (select 1 from ${deliveries} where ${deliveries.lane} = lanes.lane and ${isPending} and ${deliveries.nextAt} <= ${param(deliveries.nextAt, 'now')})`,
    )
})

/** Lanes in which something is due. */
export async function listDueLanes(db: Reader, now: Date): Promise<number[]> {
  return (await dueLanes(db, { now })).map((row) => row.lane)
}

const taken = byLength((length) =>
  statement(`deliveries_taken_${length}`, (db) =>
    db
      .update(deliveries)
      .set({
        status: 'delivered',
        worker: null,
        nextAt: null,
        step: sql`${deliveries.step} + 1`,
        tries: sql`${deliveries.tries} + 1`,
        reason: 'ok',
        finishedAt: place(length) as unknown as Date,
      })
      .where(
        and(
          inArray(deliveries.id, places(length)),
          eq(deliveries.worker, param(deliveries.worker, String(length + 1))),
          isSending,
        ),
      )
      .returning({ id: deliveries.id }),
  ),
)

/** Marks what a worker has sent; returns those that were still its own. */
export async function markDelivered(tx: Transaction, worker: number, ids: number[], now: Date): Promise<number[]> {
  const own: number[] = []
  for (const { length, values } of inPieces(ids))
    for (const { id } of await taken[length](tx, [...values, now, worker])) own.push(id)
  return own
}

const MARK = ['id', 'status', 'nextAt', 'step', 'reason', 'finishedAt'] as const
export type Mark = Pick<DeliveryRow, (typeof MARK)[number]>

const marked = byLength((length) =>
  statement(`deliveries_mark_${length}`, (db) => {
    // Each value with its type, or PostgreSQL takes them all for text; an own number is of the type that refers to it.
    const row = (nth: number) =>
      sql`(${sql.join(
        MARK.map((name, column) => {
          const like: Column = name === 'id' ? attempts.deliveryId : deliveries[name]
          return sql`cast(${orNull(like, String(nth * MARK.length + column))} as ${sql.raw(like.getSQLType())})`
        }),
        sql`, `,
      )})`
    const rows = sql.join(
      Array.from({ length }, (_, nth) => row(nth)),
      sql`, `,
    )
    // Both engines name the columns of a list of values so.
    const of = (name: (typeof MARK)[number]) => sql.raw(`marks.column${MARK.indexOf(name) + 1}`)
    return db
      .update(deliveries)
      .set({
        status: of('status'),
        worker: null,
        nextAt: of('nextAt'),
        step: of('step'),
        tries: sql`${deliveries.tries} + 1`,
        reason: of('reason'),
        finishedAt: of('finishedAt'),
      })
      .from(sql`(values ${rows}) as marks`)
      .where(
        and(
          sql`${deliveries.id} = ${of('id')}`,
          eq(deliveries.worker, param(deliveries.worker, String(length * MARK.length))),
          isSending,
        ),
      )
      .returning({ id: deliveries.id })
  }),
)

/** Writes what became of deliveries that were not taken; returns those that were still the worker's own. */
export async function markTried(tx: Transaction, worker: number, marks: Mark[]): Promise<number[]> {
  const own: number[] = []
  for (const { length, values } of inPieces(marks)) {
    const given: unknown[] = values.flatMap((mark) => MARK.map((name) => mark[name]))
    for (const { id } of await marked[length](tx, [...given, worker])) own.push(id)
  }
  return own
}

const ATTEMPT = [
  ...(['deliveryId', 'number', 'at', 'outcome', 'status', 'durationMs'] as const),
  ...(['timings', 'address', 'signature', 'exchangeSealed'] as const),
]

const attempted = byLength((length) =>
  changeStatement(`attempts_insert_${length}`, (db) => {
    const row = (nth: number) =>
      Object.fromEntries(
        ATTEMPT.map((name, column) => {
          const at = nth * ATTEMPT.length + column
          return [name, name === 'exchangeSealed' ? orNull(attempts.exchangeSealed, String(at)) : place(at)]
        }),
      ) as unknown as typeof attempts.$inferInsert
    return db.insert(attempts).values(Array.from({ length }, (_, nth) => row(nth)))
  }),
)

export async function insertAttempts(tx: Transaction, rows: Omit<AttemptRow, 'id'>[]): Promise<void> {
  for (const piece of inExactPieces(rows)) {
    const values: unknown[] = []
    for (const row of piece.rows) for (const name of ATTEMPT) values.push(row[name])
    await attempted[piece.length](tx, values)
  }
}

const hours = changeStatement('lane_hour_add', (db) => {
  const { lane, hour, delivered, failed, totalMs, slowestMs } = laneHours
  const place = (name: string) => sql.placeholder(name)
  const given = (name: string) => sql`excluded.${sql.identifier(name)}`
  const slowest = given('slowest_ms')
  return db
    .insert(laneHours)
    .values({
      lane: place('lane'),
      hour: place('hour'),
      delivered: place('delivered'),
      failed: place('failed'),
      totalMs: place('totalMs'),
      slowestMs: place('slowestMs'),
    })
    .onConflictDoUpdate({
      target: [lane, hour],
      set: {
        delivered: sql`${delivered} + ${given('delivered')}`,
        failed: sql`${failed} + ${given('failed')}`,
        totalMs: sql`${totalMs} + ${given('total_ms')}`,
        slowestMs: sql`case when ${slowestMs} < ${slowest} then ${slowest} else ${slowestMs} end`,
      },
    })
})

/** Adds what a batch of attempts came to in a lane and hour. */
export async function addToHour(tx: Transaction, row: typeof laneHours.$inferInsert): Promise<void> {
  await hours(tx, row)
}

/** Whether any worker is sending something of a lane. */
export async function isLaneSending(db: Reader, lane: number): Promise<boolean> {
  const rows = await db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(isSending, eq(deliveries.lane, lane)))
    .limit(1)
  return rows.length > 0
}

/** Gives back some of what a worker has claimed and not sent. */
export async function releaseClaimed(tx: Transaction, worker: number, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await tx
    .update(deliveries)
    .set({ status: 'pending', worker: null })
    .where(and(inArray(deliveries.id, ids), eq(deliveries.worker, worker), isSending))
}

/** Holds what waits in a lane, some thousands a call; returns how many. */
export async function holdPending(tx: Transaction, lane: number, reason: string, limit: number): Promise<number> {
  const some = sql`select ${deliveries.id} from ${deliveries} where ${deliveries.lane} = ${lane} and ${isPending} limit ${limit}`
  const rows = await tx
    .update(deliveries)
    .set({ status: 'held', nextAt: null, reason })
    .where(sql`${deliveries.id} in (${some})`)
    .returning({ id: deliveries.id })
  return rows.length
}

/** Lets what a lane held go, some thousands a call, oldest first; returns how many. */
export async function releaseHeld(tx: Transaction, lane: number, now: Date, limit: number): Promise<number> {
  const some = tx
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(eq(deliveries.lane, lane), sql`${deliveries.status} = 'held'`))
    .orderBy(asc(deliveries.id))
    .limit(limit)
  const rows = await tx
    .update(deliveries)
    .set({ status: 'pending', nextAt: now, step: 0, reason: null })
    .where(inArray(deliveries.id, some))
    .returning({ id: deliveries.id })
  return rows.length
}

/** Writes what became of a delivery that was sent at once, outside the lanes; nothing if somebody took it meanwhile. */
export async function markSentAside(tx: Transaction, mark: Mark): Promise<boolean> {
  const { id, ...change } = mark
  const rows = await tx
    .update(deliveries)
    .set({ ...change, tries: sql`${deliveries.tries} + 1` })
    .where(and(eq(deliveries.id, id), isPending))
    .returning({ id: deliveries.id })
  return rows.length > 0
}

/** Forgets what lanes did before `before` (whole hours since the epoch); returns how many rows. */
export async function deleteOldHours(tx: Transaction, before: number): Promise<number> {
  const rows = await tx.delete(laneHours).where(lt(laneHours.hour, before)).returning({ lane: laneHours.lane })
  return rows.length
}
