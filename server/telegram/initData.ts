import { AppError } from '../error.ts'
import { verifyAge } from './age.ts'
import type { BotKeys } from './botKeys.ts'
import { collectFields, type Fields } from './fields.ts'
import { verifyHash } from './hash.ts'
import { verifySignature } from './signature.ts'
import { readUser, type TelegramUser } from './user.ts'

/** What a Mini App was opened with, after every check. */
export type InitData = {
  user: TelegramUser
  authDate: Date
  /** Also what a replay is recognised by. */
  hash: string
  queryId?: string
  startParam?: string
  chatType?: string
  chatInstance?: string
}

/**
 * Verifies a Mini App's `initData` (https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app):
 * shape, HMAC, age on both sides and, where Telegram signed it too, its Ed25519 signature. `maxAge` is in seconds.
 */
export function verifyInitData(initData: string, keys: BotKeys, now: Date, maxAge: number): InitData {
  const fields = parseInitData(initData)
  const hash = verifyHash(fields, keys.webApp)
  const authDate = verifyAge(fields, now, maxAge)
  // Signers for development leave it empty. That is no weaker than absent: both are covered by the hash.
  if (fields.get('signature')) verifySignature(fields, keys)
  return { ...readInitData(fields), authDate, hash }
}

/**
 * Splits `initData` into its fields, form-decoded. Telegram signs decoded values, so re-serialising anything would
 * break them.
 */
export function parseInitData(initData: string): Fields {
  if (initData.length > 4096) throw new AppError('invalid_request', 'The initData is longer than 4096 characters')
  return collectFields(initData.split('&').map(splitPair))
}

/** What initData says beside its proof. */
export function readInitData(fields: Fields): Omit<InitData, 'authDate' | 'hash'> {
  const result: Omit<InitData, 'authDate' | 'hash'> = { user: parseUser(fields.get('user')) }
  const queryId = fields.get('query_id')
  if (queryId) result.queryId = queryId
  const startParam = fields.get('start_param')
  if (startParam) result.startParam = startParam
  const chatType = fields.get('chat_type')
  if (chatType) result.chatType = chatType
  const chatInstance = fields.get('chat_instance')
  if (chatInstance) result.chatInstance = chatInstance
  return result
}

function splitPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=')
  if (equals < 0) throw new AppError('invalid_request', 'The initData is not a list of name=value pairs joined with &')
  return [pair.slice(0, equals), decode(pair.slice(equals + 1))]
}

/** Strict where URLSearchParams puts U+FFFD, because two texts must not become one value. */
function decode(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch (cause) {
    throw new AppError('invalid_request', 'The initData is not percent-encoded UTF-8', { cause })
  }
}

function parseUser(json: string | undefined): TelegramUser {
  if (json === undefined) throw new AppError('invalid_request', 'The initData has no user')
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new AppError('invalid_request', 'The user in initData is not JSON', { cause })
  }
  return readUser(value)
}
