import * as z from 'zod'
import { AppError } from '#server/error.ts'

/** Members that every list takes; a query string brings numbers as text. */
export const pageInput = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
}

/** What every list answers. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

/** Totals are counted no further than this; one that reaches it means "that many or more". */
export const MOST_COUNTED = 10_000

/** What a list answers that is cheap to count. */
export const countedPageOf = <T extends z.ZodType>(item: T) =>
  pageOf(item).extend({ total: z.number().describe('How many match in all, counted up to 10,000') })

/** A position in a list as opaque text; it is parsed strictly when it comes back, so a forged one can only be another position. */
export function writeCursor(values: (number | string)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/** @throws AppError invalid_request */
export function readCursor<T extends z.ZodType>(shape: T, cursor: string | undefined): z.infer<T> | undefined {
  if (cursor === undefined) return undefined
  try {
    return shape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
  } catch {
    throw new AppError('invalid_request', 'The cursor is not one of this list', {
      errors: [{ path: 'cursor', message: 'is not one of this list' }],
    })
  }
}

/** One row more than asked for tells whether there is a next page. */
export function page<Row, Item>(
  rows: Row[],
  limit: number,
  item: (row: Row) => Item,
  position: (row: Row) => (number | string)[],
) {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    items: shown.map(item),
    nextCursor: rows.length > limit && last !== undefined ? writeCursor(position(last)) : null,
  }
}

/** An ISO 8601 instant from the input as a Date. */
export const instantInput = z.coerce.date()
export const instant = z.iso.datetime()
