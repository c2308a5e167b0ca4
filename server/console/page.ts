import * as z from 'zod'
import { AppError } from '#server/error.ts'

/** Members that every list takes; a query string brings numbers as text. */
export const pageInput = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
  sort: z.enum(['createdAt', '-createdAt']).optional().describe('Oldest or newest first'),
}
export type PageInput = z.infer<z.ZodObject<typeof pageInput>>

/** Members that a list takes which is short and in an order of its own: all of it, unless `limit` says otherwise. */
export const shortPageInput = { limit: pageInput.limit.unwrap().optional(), cursor: pageInput.cursor }

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

/** Where a page begins in a list that is in the order of making. @throws AppError invalid_request */
export function placeOf({ cursor, sort }: Pick<PageInput, 'cursor' | 'sort'>, usual: PageInput['sort'] = '-createdAt') {
  return { newestFirst: (sort ?? usual) === '-createdAt', beyond: readCursor(z.tuple([z.number().int()]), cursor)?.[0] }
}

/** A page of a list that is short enough to be read whole; without `limit` all that is left. @throws AppError invalid_request */
export function shortPage<Item>(
  items: Item[],
  { limit = items.length, cursor }: { limit?: number | undefined; cursor?: string | undefined },
) {
  const from = readCursor(z.tuple([z.number().int().min(0)]), cursor)?.[0] ?? 0
  const to = from + limit
  return { items: items.slice(from, to), nextCursor: to < items.length ? writeCursor([to]) : null }
}

/** The rows of a short list in the order that was asked for; `usual` is the one they are in. */
export const inOrder = <Row>(rows: Row[], sort: PageInput['sort'], usual: PageInput['sort']): Row[] =>
  sort === undefined || sort === usual ? rows : rows.toReversed()

/** By which members a short list can be put in order, either way; left out, it is in an order of its own. */
export const sortInput = <Name extends string>(...names: [Name, ...Name[]]) =>
  z.enum([...names, ...names.map((name) => `-${name}` as const)]).optional()

/** A short list in the order that was asked for; what has no value comes last. */
export function sorted<Name extends string, Item extends Record<Name, string | null>>(
  items: Item[],
  sort: Name | `-${Name}` | undefined,
): Item[] {
  if (sort === undefined) return items
  const down = sort.startsWith('-')
  const name = (down ? sort.slice(1) : sort) as Name
  return items.toSorted((one, other) => {
    const [a, b] = [one[name], other[name]]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1)
  })
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

/** @throws AppError invalid_request for what would be over the moment it is made */
export function assertAhead(now: Date, expiresAt: Date | undefined): void {
  if (expiresAt && expiresAt <= now)
    throw new AppError('invalid_request', 'The input does not fit; see errors', {
      errors: [{ path: 'expiresAt', message: 'must lie ahead' }],
    })
}

/** An ISO 8601 instant, or a day. Of JavaScript's own readings null is 1970 and 0 the year 2000. */
const moment = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  'must be a date and time such as 2026-01-31T12:00:00Z',
)

/** Nothing here is older or newer, and both databases can count minutes and milliseconds between the two. */
const [EARLIEST, LATEST] = [0, Date.UTC(6000, 0)]

/** An end of a range of time. Far away means always: the year 1 and the year 9999 are some languages' words for it. */
export const instantInput = moment.transform((text) => new Date(Math.min(Math.max(Date.parse(text), EARLIEST), LATEST)))

/** A moment that is kept as it was given. */
export const expiryInput = moment.transform((text) => new Date(text))
export const instant = z.iso.datetime()
