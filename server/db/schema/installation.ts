import { integer, ref, table, text } from '../dialect.ts'

/** Facts about this installation, such as the hash of the set-up link. */
export const facts = table('facts', {
  key: text().primaryKey(),
  value: text().notNull(),
})

/** Points used by rate limiting; only PostgreSQL shares them between processes. */
export const rateLimits = table('rate_limits', {
  key: text().primaryKey(),
  points: integer().notNull().default(0),
  expire: ref(),
})
