import { asc, desc, gt, lt, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { PgColumn } from 'drizzle-orm/pg-core'

/** Where a page of a list in the order of making begins: beyond the last row of the page before. */
export type Place = { newestFirst: boolean; beyond?: number | undefined }

/** Rows in the order in which they were made, which their numbers tell. */
export function byAge(
  id: SQLiteColumn | PgColumn,
  { newestFirst, beyond }: Place,
): { from: SQL | undefined; order: SQL } {
  return {
    from: beyond === undefined ? undefined : newestFirst ? lt(id, beyond) : gt(id, beyond),
    order: newestFirst ? desc(id) : asc(id),
  }
}
