import { AppError, type ErrorCode } from '../error.ts'
import { readAuthDate } from './age.ts'
import { botKeys, type BotKeys } from './botKeys.ts'
import { parseInitData, readInitData, verifyInitData, type InitData } from './initData.ts'
import { parseLoginWidget, verifyLoginWidget, type LoginWidgetData } from './loginWidget.ts'
import { readUser } from './user.ts'

export type TelegramExplanation = Partial<InitData> & {
  valid: boolean
  /** The first check that failed, for people, and its public code. */
  reason?: string
  code?: ErrorCode
  kind: 'initData' | 'loginWidget'
  /** What was not checked, for want of something to check against. */
  skipped: string[]
}

type Options = {
  /** Left out, the age is not checked. */
  now?: Date | undefined
  /** Seconds. */
  maxAge?: number | undefined
}

/**
 * Tells an integrator whether a Telegram login holds and, if not, why. `data` is what the page received: an initData
 * string, the Login Widget's object or query string, or our login request's body with either of them. What can be read
 * is told even where a check failed.
 */
export function explainTelegram(data: unknown, botToken: string, options: Options = {}): TelegramExplanation {
  const explanation: TelegramExplanation = { valid: false, kind: 'initData', skipped: [] }
  if (!options.now) explanation.skipped.push('age')
  try {
    const login = recognise(data)
    const keys = botKeys(botToken)
    if (typeof login === 'string') explainInitData(explanation, login, keys, options)
    else explainWidget(explanation, login, keys, options)
    return { ...explanation, valid: true }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { ...explanation, reason: error.message, code: error.code }
  }
}

function explainInitData(explanation: TelegramExplanation, initData: string, keys: BotKeys, options: Options): void {
  const fields = parseInitData(initData)
  if (!fields.get('signature')) explanation.skipped.push('signature')
  explanation.authDate = readAuthDate(fields)
  Object.assign(explanation, readInitData(fields))
  const now = options.now ?? explanation.authDate
  Object.assign(explanation, verifyInitData(initData, keys, now, options.maxAge ?? day))
}

function explainWidget(explanation: TelegramExplanation, data: LoginWidgetData, keys: BotKeys, options: Options): void {
  explanation.kind = 'loginWidget'
  const fields = parseLoginWidget(data)
  explanation.authDate = readAuthDate(fields)
  explanation.user = readUser(Object.fromEntries(fields))
  const now = options.now ?? explanation.authDate
  Object.assign(explanation, verifyLoginWidget(data, keys, now, options.maxAge ?? day))
}

const day = 86_400

/** initData as text, or the widget's members. */
function recognise(data: unknown): string | LoginWidgetData {
  if (typeof data === 'string') return recogniseText(data.trim())
  if (typeof data !== 'object' || data === null)
    throw new AppError('invalid_request', 'The data is neither text nor an object')
  if ('initData' in data && typeof data.initData === 'string') return data.initData
  if ('loginWidget' in data) return recognise(data.loginWidget)
  return data as LoginWidgetData
}

function recogniseText(text: string): string | LoginWidgetData {
  if (!/^["{]/.test(text)) return recogniseQuery(text.replace(/^[?#]/, ''))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid_request', 'The data begins like JSON but is none', { cause })
  }
  return typeof value === 'string' ? recogniseQuery(value) : recognise(value)
}

/** The widget's redirect says who in `id`; a Mini App in `user`. */
function recogniseQuery(query: string): string | LoginWidgetData {
  const names = query.split('&').map((pair) => pair.split('=', 1)[0])
  if (!names.includes('id') || names.includes('user')) return query
  return Object.fromEntries(parseInitData(query))
}
