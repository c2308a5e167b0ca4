import { AppError } from '../error.ts'
import { verifyAge } from './age.ts'
import type { BotKeys } from './botKeys.ts'
import { collectFields, type Fields } from './fields.ts'
import { verifyHash } from './hash.ts'
import { readUser, type TelegramUser } from './user.ts'

/** What the Login Widget handed to the page or to its redirect. */
export type LoginWidgetData = Record<string, string | number>

export type WidgetLogin = { user: TelegramUser; authDate: Date; hash: string }

/**
 * Verifies what Telegram's Login Widget returned
 * (https://core.telegram.org/widgets/login-legacy#checking-authorization). The secret is SHA-256 of the token, not the
 * Mini App's. `maxAge` is in seconds.
 */
export function verifyLoginWidget(data: LoginWidgetData, keys: BotKeys, now: Date, maxAge: number): WidgetLogin {
  const fields = parseLoginWidget(data)
  const hash = verifyHash(fields, keys.widget)
  const authDate = verifyAge(fields, now, maxAge)
  return { user: readUser(Object.fromEntries(fields)), authDate, hash }
}

/** The widget's members as the text that was signed: Telegram gives numbers to scripts and digits to redirects. */
export function parseLoginWidget(data: LoginWidgetData): Fields {
  const fields = collectFields(Object.entries(data).map(([name, value]) => [name, asText(name, value)]))
  const size = [...fields].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (size > 4096) throw new AppError('invalid_request', 'The login data is longer than 4096 characters')
  return fields
}

function asText(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (Number.isSafeInteger(value)) return String(value)
  throw new AppError('invalid_request', `The login data has neither text nor a whole number in ${name.slice(0, 32)}`)
}
