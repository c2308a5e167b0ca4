import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { AppError } from '../error.ts'
import { sameText } from '../secret/sameText.ts'
import { readTelegramId } from './user.ts'

/** A person as Telegram's OpenID Connect describes them. */
export type TelegramIdentity = {
  id: string
  subject: string
  issuedAt: Date
  expiresAt: Date
  name?: string
  firstName?: string
  lastName?: string
  username?: string
  photoUrl?: string
  phoneNumber?: string
}

type Options = {
  botId: string
  jwks: JWTVerifyGetKey
  now: Date
  issuer?: string
  /** Given by the app that started the sign-in; then the token must carry it. */
  nonce?: string
}

/** How far Telegram's clock may run ahead of ours, in seconds. */
const leeway = 60

/**
 * Verifies an ID token of Log In With Telegram (https://core.telegram.org/bots/telegram-login). Algorithms are pinned,
 * a claim that is absent fails, and the Telegram id comes from the numeric `id`, because `sub` may be opaque.
 */
export async function verifyIdToken(idToken: string, options: Options): Promise<TelegramIdentity> {
  // Lenient base64url decoders take spaces and padding; one token must have one spelling.
  if (idToken.length > 8192 || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(idToken)) {
    throw new AppError('invalid_request', 'The ID token is not a compact JWS')
  }
  const claims = await verifySignedClaims(idToken, options)
  // Telegram sends the client id, which is the bot's id, as a number or as a string.
  const audiences: unknown[] = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  if (!audiences.some((audience) => audience === options.botId || audience === Number(options.botId))) {
    throw new AppError('invalid_signature', 'The ID token is not for this bot (aud)')
  }
  if (typeof claims.iat !== 'number' || typeof claims.exp !== 'number') {
    throw new AppError('invalid_signature', 'The ID token lacks iat or exp')
  }
  if (claims.iat > options.now.getTime() / 1000 + leeway) {
    throw new AppError('login_expired', 'The ID token was issued in the future (iat)')
  }
  if (options.nonce !== undefined && !(typeof claims.nonce === 'string' && sameText(claims.nonce, options.nonce))) {
    throw new AppError('nonce_invalid', 'The ID token does not carry the nonce of this sign-in')
  }
  return readIdentity(claims, claims.iat, claims.exp)
}

async function verifySignedClaims(idToken: string, options: Options): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(idToken, findKey(options.jwks), {
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      issuer: options.issuer ?? 'https://oauth.telegram.org',
      currentDate: options.now,
      requiredClaims: ['iss', 'aud', 'exp', 'iat'],
    })
    return payload
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    if (cause instanceof errors.JWTExpired)
      throw new AppError('login_expired', 'The ID token has expired (exp)', { cause })
    const fault = cause instanceof errors.JWTClaimValidationFailed ? cause.claim : 'signature'
    throw new AppError('invalid_signature', `The ID token's ${fault} does not hold`, { cause })
  }
}

/** Keys that cannot be read are our trouble, and a retry helps; a key that does not exist is the token's. */
function findKey(jwks: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await jwks(header, token)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause
      if (cause instanceof errors.JOSENotSupported) throw cause
      throw new AppError('unavailable', "Telegram's signing keys cannot be read at the moment", { cause })
    }
  }
}

function readIdentity(claims: JWTPayload, iat: number, exp: number): TelegramIdentity {
  const subject = typeof claims.sub === 'string' ? claims.sub : String(claims.sub ?? claims.id)
  const identity: TelegramIdentity = {
    id: readTelegramId(claims.id ?? claims.sub),
    subject,
    issuedAt: new Date(iat * 1000),
    expiresAt: new Date(exp * 1000),
  }
  const name = text(claims.name)
  if (name) identity.name = name
  const firstName = text(claims.given_name)
  if (firstName) identity.firstName = firstName
  const lastName = text(claims.family_name)
  if (lastName) identity.lastName = lastName
  const username = text(claims.preferred_username)
  if (username) identity.username = username
  const photoUrl = text(claims.picture)
  if (photoUrl) identity.photoUrl = photoUrl
  const phoneNumber = text(claims.phone_number)
  // A number nobody verified proves nothing about the person.
  if (phoneNumber && claims.phone_number_verified === true) identity.phoneNumber = phoneNumber
  return identity
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
