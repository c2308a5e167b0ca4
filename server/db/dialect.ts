import * as pg from 'drizzle-orm/pg-core'
import * as lite from 'drizzle-orm/sqlite-core'

export type Dialect = 'sqlite' | 'postgresql'

/** A process speaks one dialect for its whole life, so tables can be plain exported constants. */
export const dialect: Dialect = /^postgres(ql)?:/.test(process.env['DATABASE_URL'] ?? '') ? 'postgresql' : 'sqlite'

const bytea = pg.customType<{ data: Buffer }>({ dataType: () => 'bytea' })

const postgresql = {
  table: pg.pgTable,
  index: pg.index,
  uniqueIndex: pg.uniqueIndex,
  text: pg.text,
  /** A row's own number: never given twice, not even after a deletion. */
  id: () => pg.bigserial({ mode: 'number' }).primaryKey(),
  /** Another row's number, or any whole number beyond 32 bits. */
  ref: () => pg.bigint({ mode: 'number' }),
  integer: () => pg.integer(),
  boolean: () => pg.boolean(),
  instant: () => pg.timestamp({ withTimezone: true, mode: 'date', precision: 3 }),
  bytes: () => bytea(),
}

const sqlite = {
  table: lite.sqliteTable,
  index: lite.index,
  uniqueIndex: lite.uniqueIndex,
  text: lite.text,
  id: () => lite.integer().primaryKey({ autoIncrement: true }),
  ref: () => lite.integer(),
  integer: () => lite.integer(),
  boolean: () => lite.integer({ mode: 'boolean' }),
  instant: () => lite.integer({ mode: 'timestamp_ms' }),
  bytes: () => lite.blob({ mode: 'buffer' }),
}

// The PostgreSQL types are the static truth: they are the stricter, asynchronous ones,
// so `.get()`, `.all()` and `.run()` cannot leak into a query that must run on both.
export const { table, index, uniqueIndex, text, id, ref, integer, boolean, instant, bytes } =
  dialect === 'postgresql' ? postgresql : (sqlite as unknown as typeof postgresql)
