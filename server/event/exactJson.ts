/** JSON with its numbers kept as they were written: an amount must not lose a digit or a trailing zero on its way through us. */

type RawJson = { rawJSON: string }

// In Node 24, and not yet in TypeScript's library.
const json = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): RawJson
  isRawJSON(value: unknown): value is RawJson
}

/**
 * Parses JSON; a number that JavaScript would write differently is kept as its text and comes out of `JSON.stringify` as it went in.
 * @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? json.rawJSON(source) : value,
  )
}

/** The same value with ordinary numbers, for checking. */
export function toPlain(value: unknown): unknown {
  if (json.isRawJSON(value)) return Number(value.rawJSON)
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]))
}

/** A value as text for people: numbers exactly as they were written. */
export function toText(value: unknown): string {
  if (json.isRawJSON(value)) return value.rawJSON
  return typeof value === 'string' ? value : JSON.stringify(value)
}
