import { AppError } from '../error.ts'
import type { Fields } from './fields.ts'

/** How far another clock may run ahead of ours, in seconds. */
const leeway = 60

/**
 * Checks `auth_date` on both sides and returns it. Telegram leaves the age to us, and a date in the future would keep a
 * stolen login alive for ever.
 */
export function verifyAge(fields: Fields, now: Date, maxAge: number): Date {
  const authDate = readAuthDate(fields)
  const age = (now.getTime() - authDate.getTime()) / 1000
  if (age < -leeway) throw new AppError('login_expired', `The auth_date is ${Math.ceil(-age)} seconds in the future`)
  if (age > maxAge) {
    throw new AppError(
      'login_expired',
      `The login data is ${Math.floor(age)} seconds old; at most ${maxAge} are accepted`,
    )
  }
  return authDate
}

/** `auth_date`, whatever its age. */
export function readAuthDate(fields: Fields): Date {
  const text = fields.get('auth_date')
  if (text === undefined) throw new AppError('invalid_request', 'The login data has no auth_date')
  if (!/^\d{1,12}$/.test(text)) throw new AppError('invalid_request', 'The auth_date is not a Unix time in seconds')
  return new Date(Number(text) * 1000)
}
