import { verify } from 'node:crypto'
import { AppError } from '../error.ts'
import type { BotKeys } from './botKeys.ts'
import type { Fields } from './fields.ts'
import { dataCheckString } from './hash.ts'

/**
 * Checks `signature`, Telegram's Ed25519 over the fields without `hash` and `signature`. The hash can be forged by
 * whoever holds the bot token; this cannot. https://core.telegram.org/bots/webapps#validating-data-for-third-party-use
 */
export function verifySignature(fields: Fields, keys: Pick<BotKeys, 'botId' | 'telegram'>): void {
  const signature = fields.get('signature')
  if (signature === undefined) throw new AppError('invalid_request', 'The login data has no signature')
  // 64 bytes in base64url without padding; the last character holds two bits, so that each signature has one spelling.
  if (!/^[\w-]{85}[AQgw]$/.test(signature)) {
    throw new AppError('invalid_request', 'The signature is not 64 bytes in base64url')
  }
  const message = `${keys.botId}:WebAppData\n${dataCheckString(fields, ['hash', 'signature'])}`
  if (!verify(null, Buffer.from(message), keys.telegram, Buffer.from(signature, 'base64url'))) {
    throw new AppError('invalid_signature', "The signature is not Telegram's for this bot")
  }
}
