import { isNotNull } from 'drizzle-orm'
import { bytes, id, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'

/** A fact, kept as exactly the bytes that tell of it. Everything owed because of it is a row in `deliveries`, written with it. */
export const events = table(
  'events',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    type: text().notNull(),
    /** The person it is about, if we know them; no foreign key, because their last event is that they were erased. */
    userId: ref(),
    /** 48 bits of a keyed hash of whom the app says it is about: for searching, and for keeping one person's events in order. */
    subjectKey: ref(),
    /** The JSON that goes out, encrypted. */
    payloadSealed: bytes().notNull(),
    source: text({ enum: ['api', 'system', 'test'] }).notNull(),
    createdAt: instant().notNull(),
    /** When the person read it in their inbox. */
    readAt: instant(),
  },
  (event) => [
    index('events_app').on(event.appId, event.id),
    index('events_type').on(event.type, event.id),
    index('events_app_type').on(event.appId, event.type, event.id),
    index('events_subject').on(event.subjectKey, event.id).where(isNotNull(event.subjectKey)),
    index('events_user').on(event.userId, event.id).where(isNotNull(event.userId)),
    index('events_created').on(event.createdAt),
  ],
)

/** An app's own types of events, and what it changed of the texts of the built-in ones. */
export const eventTypes = table(
  'event_types',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    key: text().notNull(),
    definition: text().notNull(),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  },
  (type) => [uniqueIndex('event_types_key').on(type.appId, type.key)],
)

/** Answers to calls that carried an Idempotency-Key, for 24 hours. */
export const idempotencyKeys = table(
  'idempotency_keys',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    keyHash: bytes().notNull(),
    fingerprint: bytes().notNull(),
    answer: text().notNull(),
    createdAt: instant().notNull(),
  },
  (key) => [
    uniqueIndex('idempotency_keys_key').on(key.appId, key.keyHash),
    index('idempotency_keys_created').on(key.createdAt),
  ],
)
