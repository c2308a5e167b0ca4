import { timingSafeEqual } from 'node:crypto'

/** Compares a text that came from outside with a secret one, in a time that does not tell where they differ. */
export function sameText(given: string, secret: string): boolean {
  const a = Buffer.from(given)
  const b = Buffer.from(secret)
  return a.length === b.length && timingSafeEqual(a, b)
}
