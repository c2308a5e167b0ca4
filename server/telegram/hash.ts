import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { AppError } from '../error.ts'
import type { Fields } from './fields.ts'

/**
 * Checks `hash`: HMAC-SHA256 over every other field, `signature` included, and returns it.
 * https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
 */
export function verifyHash(fields: Fields, secret: KeyObject): string {
  const hash = fields.get('hash')
  if (hash === undefined) throw new AppError('invalid_request', 'The login data has no hash')
  if (!/^[0-9a-f]{64}$/.test(hash))
    throw new AppError('invalid_request', 'The hash is not 64 lower-case hexadecimal digits')
  const expected = createHmac('sha256', secret)
    .update(dataCheckString(fields, ['hash']))
    .digest()
  if (!timingSafeEqual(expected, Buffer.from(hash, 'hex'))) {
    throw new AppError(
      'invalid_signature',
      'The hash does not match: the data was changed or signed for another bot or token',
    )
  }
  return hash
}

/** The text Telegram signs: `name=value` lines sorted by name. */
export function dataCheckString(fields: Fields, without: readonly string[]): string {
  const lines: string[] = []
  for (const name of [...fields.keys()].sort()) {
    if (!without.includes(name)) lines.push(`${name}=${fields.get(name)}`)
  }
  return lines.join('\n')
}
