import { isNotNull, isNull } from 'drizzle-orm'
import { bytes, id, index, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'
import { users } from './identity.ts'

/**
 * A login that can be listed and ended. A live one holds a seat, counted from 0, and no two of a user hold the same. One that has ended stands under its own number,
 * negative, so that one index guards the limit and finds a user's sessions: a login writes one place of a large index, and not two.
 */
export const sessions = table(
  'sessions',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    identityId: ref().notNull(),
    seat: ref().notNull(),
    method: text({ enum: ['telegram', 'ton', 'sso'] }).notNull(),
    ip: text(),
    userAgent: text(),
    // What kind of device the user agent says it is, as a number (origin/device.ts), and where the address is: ISO 3166-1 alpha-2. Null is unknown, and so
    // are both for sessions from before they were noted: to work them out later would tell of another day's geography, and no row need be rewritten.
    device: integer(),
    country: text(),
    createdAt: instant().notNull(),
    lastActiveAt: instant().notNull(),
    // lastActiveAt by slots (db/slot.ts): indexed in its place, because on PostgreSQL a touch within the same slot then leaves every index alone. Within a slot a
    // list is sorted, so a slot has to be short: in a rush thousands of sign-ins a second fall into one.
    activeSlot: integer().notNull(),
    expiresAt: instant().notNull(),
    endedAt: instant(),
    endReason: text(),
    endedBy: text(),
    refreshHash: bytes().notNull(),
    refreshExpiresAt: instant().notNull(),
    refreshGeneration: integer().notNull().default(0),
    refreshedAt: instant(),
    refreshSuccessorSealed: bytes(),
  },
  (session) => {
    const byActivity = [
      session.activeSlot,
      session.appId,
      session.method,
      session.device,
      session.country,
      session.ip,
    ] as const
    return [
      uniqueIndex('sessions_seat').on(session.userId, session.seat),
      index('sessions_live').on(session.id).where(isNull(session.endedAt)),
      index('sessions_app').on(session.appId, session.id),
      index('sessions_ip').on(session.ip, session.id),
      // Few values, each followed by the row's number: a login writes at the end of one of them, and a list is read in its order.
      index('sessions_device').on(session.device, session.id),
      index('sessions_country').on(session.country, session.id),
      index('sessions_method').on(session.method, session.id),
      index('sessions_created').on(session.createdAt),
      index('sessions_ended').on(session.endedAt).where(isNotNull(session.endedAt)),
      // What lists are narrowed to stands beside the order they are read in: what does not fit is passed over without a look at its row. Live ones once more by
      // themselves: those that are idle the longest lie behind all that ended in a month.
      index('sessions_active').on(...byActivity),
      index('sessions_live_active')
        .on(...byActivity)
        .where(isNull(session.endedAt)),
      index('sessions_reason').on(session.endReason, session.id).where(isNotNull(session.endReason)),
    ]
  },
)

/** What happened to a session between its login and its end. */
export const sessionEvents = table(
  'session_events',
  {
    id: id(),
    sessionId: ref()
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    at: instant().notNull(),
    kind: text({ enum: ['refreshed', 'refresh_reused'] }).notNull(),
    detail: text(),
  },
  (event) => [index('session_events_session').on(event.sessionId, event.id)],
)
