import type { TelegramLoginInput } from './login.ts'

/** Who a login says it is of, before anything of it is checked: a Telegram id as text. */
export function claimOf(input: TelegramLoginInput): string | undefined {
  if ('initData' in input) return /(?:^|&)user=[^&]*?%22id%22%3A(\d{1,20})/i.exec(input.initData)?.[1]
  return 'loginWidget' in input ? String(input.loginWidget['id']) : undefined
}
