import { sql } from 'drizzle-orm'

/** Lists come in these lengths, so that a statement with a list in it is prepared once and not once a length. */
const LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const
type Length = (typeof LENGTHS)[number]

/** One statement a length. */
export function byLength<T>(make: (length: Length) => T): Record<Length, T> {
  return Object.fromEntries(LENGTHS.map((length) => [length, make(length)])) as Record<Length, T>
}

/** The placeholder of a place in a list of values (statement.ts): names for some hundreds of values cost more than the query. */
export const place = (at: number) => sql.placeholder(String(at))

/** Placeholders for a list of numbers in a condition. */
export const places = (length: Length) => Array.from({ length }, (_, at) => place(at))

/** A list in pieces that fit: each filled up with its last member, which changes nothing where a list is searched. */
export function inPieces<T>(list: T[]): { length: Length; values: T[] }[] {
  const pieces = []
  for (let from = 0; from < list.length; from += 256) {
    const values = list.slice(from, from + 256)
    const length = LENGTHS.find((one) => one >= values.length)!
    const last = values.at(-1)!
    while (values.length < length) values.push(last)
    pieces.push({ length, values })
  }
  return pieces
}

/** Rows to be inserted in pieces that fit exactly, the longest first. */
export function inExactPieces<T>(rows: T[]): { length: Length; rows: T[] }[] {
  const pieces = []
  for (let from = 0; from < rows.length;) {
    const length = LENGTHS.findLast((one) => one <= rows.length - from)!
    pieces.push({ length, rows: rows.slice(from, from + length) })
    from += length
  }
  return pieces
}
