import * as z from 'zod'

/** As deep as a content may be that is recorded. */
const MOST_DEPTH = 500

/** A JSON object that whoever reads it can read to its end: what is nested without end would stop us, and receivers, where it is written out. */
export const jsonObject = z.record(z.string(), z.unknown()).refine((value) => !isDeeper(value, MOST_DEPTH), {
  message: `must not be nested more than ${MOST_DEPTH} levels deep`,
})

function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return most === 0 || Object.values(value).some((member) => isDeeper(member, most - 1))
}
