import { createHash, createHmac } from 'node:crypto'

export const botToken = '7000000001:AAF1nTheTestsOnlyNeverARealBotToken0'

export type TelegramPerson = {
  id: number
  first_name: string
  last_name?: string
  username?: string
  language_code?: string
}

export const alice: TelegramPerson = {
  id: 279058397,
  first_name: 'Alice',
  last_name: 'Ito',
  username: 'alice_ito',
  language_code: 'en',
}

export const person = (id: number): TelegramPerson => ({ id, first_name: `Person ${id}`, username: `person${id}` })

/** What Telegram hands to a Mini App that `user` opens at `now`. */
export function initData(user: TelegramPerson, now: Date, token = botToken, more: Record<string, string> = {}): string {
  const fields: Record<string, string> = {
    auth_date: String(Math.floor(now.getTime() / 1000)),
    query_id: 'AAHdF6IQAAAAAN0XohDhrOrc',
    user: JSON.stringify(user),
    ...more,
  }
  const secret = createHmac('sha256', 'WebAppData').update(token).digest()
  return new URLSearchParams({ ...fields, hash: sign(fields, secret) }).toString()
}

/** What the Login Widget hands to a page. */
export function loginWidget(user: TelegramPerson, now: Date, token = botToken): Record<string, string | number> {
  const fields = { ...user, auth_date: Math.floor(now.getTime() / 1000) }
  const secret = createHash('sha256').update(token).digest()
  return { ...fields, hash: sign(fields, secret) }
}

function sign(fields: Record<string, string | number>, secret: Buffer): string {
  const text = Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join('\n')
  return createHmac('sha256', secret).update(text).digest('hex')
}
