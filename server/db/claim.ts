import { sql, type Column, type SQL } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/**
 * Rows that nobody else is taking at this moment: `column` is one of what `chosen` selects. On PostgreSQL the chosen rows are locked, and
 * rows that another process has locked are passed over; on SQLite the transaction is alone anyway. `chosen` ends with its limit.
 */
export function unclaimed(column: Column, chosen: SQL): SQL {
  return dialect === 'postgresql'
    ? // As an array, so that the rows are chosen once and not once a row of the outer query.
      sql`${column} = any(array(${chosen} for update skip locked))`
    : sql`${column} in (${chosen})`
}
