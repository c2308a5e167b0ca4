import { AppError } from '../error.ts'

/**
 * A person as Telegram describes them. The id is a decimal string, because it outgrows 32 bits and is never a quantity.
 */
export type TelegramUser = {
  id: string
  firstName: string
  lastName?: string
  username?: string
  languageCode?: string
  photoUrl?: string
  isPremium?: boolean
  allowsWriteToPm?: boolean
}

/**
 * Reads the `WebAppUser` object (https://core.telegram.org/bots/webapps#webappuser), whose names the Login Widget
 * shares.
 */
export function readUser(value: unknown): TelegramUser {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', 'The user is not an object')
  }
  const raw = value as Record<string, unknown>
  const firstName = text(raw, 'first_name')
  if (firstName === undefined) throw new AppError('invalid_request', 'The user has no first_name')
  const user: TelegramUser = { id: readTelegramId(raw.id), firstName }
  const lastName = text(raw, 'last_name')
  if (lastName) user.lastName = lastName
  const username = text(raw, 'username')
  if (username) user.username = username
  const languageCode = text(raw, 'language_code')
  if (languageCode) user.languageCode = languageCode
  const photoUrl = text(raw, 'photo_url')
  if (photoUrl) user.photoUrl = photoUrl
  const isPremium = flag(raw, 'is_premium')
  if (isPremium !== undefined) user.isPremium = isPremium
  const allowsWriteToPm = flag(raw, 'allows_write_to_pm')
  if (allowsWriteToPm !== undefined) user.allowsWriteToPm = allowsWriteToPm
  return user
}

/** A Telegram id, number or digits, as a decimal string; refused where a number would have lost digits. */
export function readTelegramId(value: unknown): string {
  const id = typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? Number(value) : value
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0) {
    throw new AppError('invalid_request', 'The Telegram user id is not a positive whole number')
  }
  return String(id)
}

function text(raw: Record<string, unknown>, name: string): string | undefined {
  const value = raw[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new AppError('invalid_request', `The user's ${name} is not a string`)
  return value
}

/** Some clients send the word instead of the value. */
function flag(raw: Record<string, unknown>, name: string): boolean | undefined {
  const value = raw[name]
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new AppError('invalid_request', `The user's ${name} is not true or false`)
}
