/**
 * JSON whose whole numbers keep every digit: what does not fit a double comes as the text that stood there. Amounts are larger than 2^53,
 * and some APIs write them as numbers (knowledge of TonAPI and toncenter v2).
 * @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  return (JSON.parse as Parse)(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) ? (context.source ?? value) : value,
  )
}

/** ECMAScript's JSON.parse with source text access, which TypeScript's library does not know yet. */
type Parse = (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown

/** A whole number of the smallest unit as decimal text; undefined for anything else. toncenter v2 writes the number 0 for an unused account. */
export function readAmount(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value)
  return typeof value === 'string' && /^(0|[1-9]\d{0,77})$/.test(value) ? value : undefined
}
