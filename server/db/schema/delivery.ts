import { isNotNull, sql } from 'drizzle-orm'
import { boolean, bytes, id, index, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'
import { events } from './event.ts'

/**
 * One channel owed because of one event. A delivery waits in a lane, and lanes are served side by side: an endpoint's number, or the
 * number of an app below zero for the messages of its bot.
 */
export const deliveries = table(
  'deliveries',
  {
    id: id(),
    eventId: ref()
      .notNull()
      .references(() => events.id, { onDelete: 'cascade' }),
    channel: text({ enum: ['webhook', 'inbox', 'telegram', 'email'] }).notNull(),
    lane: ref(),
    status: text({ enum: ['pending', 'sending', 'delivered', 'dead', 'held', 'skipped'] }).notNull(),
    /** Tries that count in the schedule, and tries in all. */
    step: integer().notNull().default(0),
    tries: integer().notNull().default(0),
    nextAt: instant(),
    /** Who is sending it: a row of `outbox_workers`. */
    worker: ref(),
    /** The person whose events come one after the other, where the endpoint asks for that. */
    orderKey: ref(),
    /** The number of this event among those of its person that this endpoint gets. */
    seq: ref(),
    /** Whether the payload carries id, type, timestamp and seq besides the four members. */
    extended: boolean().notNull().default(false),
    /** The outcome of the last attempt, or why it was skipped or held. */
    reason: text(),
    finishedAt: instant(),
  },
  (delivery) => [
    index('deliveries_event').on(delivery.eventId),
    index('deliveries_lane').on(delivery.lane, delivery.eventId).where(isNotNull(delivery.lane)),
    // Spelled with literals: SQLite takes a partial index only when it reads the same words in the query.
    index('deliveries_due').on(delivery.lane, delivery.nextAt, delivery.id).where(sql.raw(`status = 'pending'`)),
    index('deliveries_sending').on(delivery.worker).where(sql.raw(`status = 'sending'`)),
    index('deliveries_order')
      .on(delivery.lane, delivery.orderKey, delivery.id)
      .where(sql.raw(`order_key is not null and status in ('pending', 'sending')`)),
    // For the log, in the order of events; with what it is narrowed to besides, so that rows are read only of what matches.
    index('deliveries_waiting')
      .on(delivery.eventId, delivery.tries, delivery.channel, delivery.lane)
      .where(sql.raw(`status = 'pending'`)),
    index('deliveries_dead').on(delivery.eventId, delivery.channel, delivery.lane).where(sql.raw(`status = 'dead'`)),
    index('deliveries_held').on(delivery.eventId, delivery.channel, delivery.lane).where(sql.raw(`status = 'held'`)),
    index('deliveries_skipped')
      .on(delivery.eventId, delivery.channel, delivery.lane)
      .where(sql.raw(`status = 'skipped'`)),
    index('deliveries_people')
      .on(delivery.channel, delivery.eventId, delivery.status)
      .where(sql.raw(`channel <> 'webhook'`)),
  ],
)

/** One try of one delivery. */
export const attempts = table(
  'attempts',
  {
    id: id(),
    deliveryId: ref()
      .notNull()
      .references(() => deliveries.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    at: instant().notNull(),
    outcome: text().notNull(),
    status: integer(),
    /** Milliseconds of the whole, and what they were spent on: JSON {dns, connect, tls, firstByte}. */
    durationMs: integer().notNull(),
    timings: text(),
    address: text(),
    signature: text(),
    /** JSON {url, headerNames, response: {headers, body}}, encrypted. */
    exchangeSealed: bytes(),
  },
  (attempt) => [index('attempts_delivery').on(attempt.deliveryId, attempt.id)],
)

/** How a lane did, by whole hour since the epoch. */
export const laneHours = table(
  'lane_hours',
  {
    lane: ref().notNull(),
    hour: integer().notNull(),
    delivered: integer().notNull(),
    failed: integer().notNull(),
    totalMs: ref().notNull(),
    slowestMs: integer().notNull(),
  },
  (row) => [uniqueIndex('lane_hours_lane').on(row.lane, row.hour)],
)

/** The last number given to a person's events in a lane. */
export const laneSequences = table(
  'lane_sequences',
  {
    lane: ref().notNull(),
    subjectKey: ref().notNull(),
    last: ref().notNull(),
  },
  (row) => [uniqueIndex('lane_sequences_subject').on(row.lane, row.subjectKey)],
)

/** Processes that send. One that has not said that it lives has died, and what it was sending is sent again by another. */
export const outboxWorkers = table('outbox_workers', {
  id: id(),
  aliveUntil: instant().notNull(),
})
