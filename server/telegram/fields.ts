import { AppError } from '../error.ts'

/** What Telegram signed, name → decoded value, each name once. */
export type Fields = ReadonlyMap<string, string>

/**
 * Collects signed pairs into a map and refuses what could be read in two ways. The signed text joins pairs with line
 * feeds without escaping them, so a value with a line feed lets genuine pairs be cut anew (`auth_date="1\nuser=…"`)
 * under the same signature.
 */
export function collectFields(pairs: Iterable<readonly [name: string, value: string]>): Fields {
  const fields = new Map<string, string>()
  for (const [name, value] of pairs) {
    if (!/^[a-z_]{1,32}$/.test(name)) throw new AppError('invalid_request', 'The login data has a malformed field name')
    if (fields.has(name)) throw new AppError('invalid_request', `The login data has ${name} twice`)
    if (/\p{Cc}/u.test(value)) {
      throw new AppError('invalid_request', `The login data has a control character in ${name}`)
    }
    fields.set(name, value)
  }
  return fields
}
