import { and, asc, desc, gt, gte, lt, lte, type SQL } from 'drizzle-orm'
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

/** Clocks of several processes differ by less than this; rows are numbered about in the order of their times. */
const SKEW_MS = 60_000
/** Where rows come seldom, the first after a moment need not be the one with the lowest number. */
const FIRST_FEW = 100

/**
 * The numbers between which all rows lie that were made within a span of time. Compared by number, a page is read along the key from its very place on, where
 * an index of times would have to be read whole and put in order. Not exact: the times themselves are compared as well.
 * @param first numbers of the first rows since a moment, by an index of times
 */
export async function madeWithin(
  { from, to }: { from?: Date | undefined; to?: Date | undefined },
  first: (since: Date, limit: number) => PromiseLike<{ id: number }[]>,
): Promise<{ start: number | undefined; end: number | undefined }> {
  const least = (rows: { id: number }[]) => Math.min(Number.MAX_SAFE_INTEGER, ...rows.map(({ id }) => id))
  return {
    start: from && least(await first(new Date(from.getTime() - SKEW_MS), FIRST_FEW)),
    end: to && (await first(new Date(to.getTime() + SKEW_MS), 1))[0]?.id,
  }
}

/** The same as a condition. */
export async function isMadeWithin(
  id: SQLiteColumn | PgColumn,
  ...span: Parameters<typeof madeWithin>
): Promise<SQL | undefined> {
  const { start, end } = await madeWithin(...span)
  return and(start === undefined ? undefined : gte(id, start), end === undefined ? undefined : lte(id, end))
}
