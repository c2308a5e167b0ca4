import { createHash, createHmac, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { AppError } from '../error.ts'

/** What a bot's token yields for checking logins. The token itself is not kept. */
export type BotKeys = {
  botId: string
  /** Mini App secret: HMAC-SHA256("WebAppData", token). */
  webApp: KeyObject
  /** Login Widget secret: SHA-256(token). Never interchangeable with `webApp`. */
  widget: KeyObject
  /** Telegram's own Ed25519 key, which no holder of a bot token can forge. */
  telegram: KeyObject
}

/** https://core.telegram.org/bots/webapps#validating-data-for-third-party-use */
const telegramKeys = {
  production: 'e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d',
  test: '40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec',
}

type Options = { environment?: keyof typeof telegramKeys }

/**
 * Derives the keys of one bot. They are KeyObjects, made once and cached by the caller, because an HMAC over a
 * KeyObject costs a sixth of one over a Buffer.
 */
export function botKeys(botToken: string, options: Options = {}): BotKeys {
  const shape = /^(\d{1,16}):[\w-]{1,128}$/.exec(botToken)
  if (!shape?.[1])
    throw new AppError('invalid_request', 'The bot token must look like 123456:ABC-DEF, as BotFather shows it')
  return {
    botId: shape[1],
    webApp: createSecretKey(createHmac('sha256', 'WebAppData').update(botToken).digest()),
    widget: createSecretKey(createHash('sha256').update(botToken).digest()),
    telegram: createPublicKey({
      format: 'jwk',
      key: {
        kty: 'OKP',
        crv: 'Ed25519',
        x: Buffer.from(telegramKeys[options.environment ?? 'production'], 'hex').toString('base64url'),
      },
    }),
  }
}
