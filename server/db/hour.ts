import { sql, type Column, type SQL } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/** Whole hours since the epoch of an instant column, for counting by the hour. */
export function hourOf(column: Column): SQL<number> {
  const hour =
    dialect === 'sqlite' ? sql<number>`${column} / 3600000` : sql<number>`floor(extract(epoch from ${column}) / 3600)`
  return hour.mapWith(Number)
}
