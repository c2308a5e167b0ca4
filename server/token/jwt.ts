import { sign } from 'node:crypto'
import { errors, jwtVerify, type JWTPayload } from 'jose'
import { audienceOf, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { freshBytes } from '#server/secret/random.ts'
import type { SigningKey } from './keys.ts'
import { statusIndex, statusListUri } from './statusIndex.ts'
import type { AccessClaims } from './accessClaims.ts'

/** jose decodes base64url leniently (padding, blanks, unused bits), so that one token would have many spellings: this is the only one. */
const SHAPE = /^[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{85}[AQgw]$/

export const looksLikeJwt = (token: string): boolean => SHAPE.test(token)

/** Signs an access token (RFC 9068, `at+jwt`, EdDSA). `ttl` in seconds. */
export async function signAccessToken(
  runtime: Runtime,
  input: { app: App; sessionId: number; userId: number; now: Date; ttl: number },
): Promise<string> {
  const { app } = input
  const { ids } = runtime.vault
  const iat = Math.floor(input.now.getTime() / 1000)
  const { list, index } = statusIndex(runtime.vault, input.sessionId)
  return signJwt(await runtime.keys.active(), 'at+jwt', {
    iss: runtime.config.publicUrl,
    sub: ids.seal('usr', input.userId),
    aud: audienceOf(app),
    exp: iat + input.ttl,
    iat,
    jti: freshBytes(16).toString('base64url'),
    sid: ids.seal('ses', input.sessionId),
    client_id: app.publicId,
    status: { status_list: { idx: index, uri: statusListUri(runtime.config.publicUrl, app.publicId, list) } },
  })
}

/**
 * A JWS in compact form (RFC 7515 §7.1), signed with Ed25519 (RFC 8037). By node:crypto, for jose signs through WebCrypto only, which takes
 * two thirds more time, on the call that every login makes.
 */
export function signJwt({ kid, privateKey }: SigningKey, typ: string, claims: JWTPayload): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg: 'EdDSA', typ, kid })}.${part(claims)}`
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

/**
 * The claims of an access token that this installation signed, remembered for the next time. Whether it has expired and whether its session lives is
 * for the caller to see.
 * @throws AppError token_invalid
 */
export async function verifyAccessJwt(runtime: Runtime, token: string): Promise<AccessClaims> {
  if (!looksLikeJwt(token)) throw invalid()
  const { payload, kid } = await verifySigned(runtime, token)
  const sessionId = runtime.vault.ids.parse('ses', String(payload['sid']))
  if (sessionId === undefined) throw invalid()
  const { exp, iat, jti, aud, sub } = payload as {
    exp: number
    iat: number
    jti: string
    aud: string | string[]
    sub: string
  }
  const claims = { kid, sessionId, exp, iat, jti, aud, sub, client_id: String(payload['client_id']) }
  runtime.verified.add(token, claims)
  return claims
}

async function verifySigned(runtime: Runtime, token: string): Promise<{ payload: JWTPayload; kid: string }> {
  let kid = ''
  try {
    const { payload } = await jwtVerify(
      token,
      async (header) => {
        const key = header.kid === undefined ? undefined : await runtime.keys.find(header.kid)
        if (!key) throw invalid()
        kid = header.kid!
        return key
      },
      {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer: runtime.config.publicUrl,
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'sid', 'client_id'],
        currentDate: runtime.now(),
      },
    )
    return { payload, kid }
  } catch (cause) {
    // Looked at last: the signature and all other claims hold.
    if (cause instanceof errors.JWTExpired) return { payload: cause.payload, kid }
    if (cause instanceof errors.JOSEError) throw invalid(cause)
    throw cause
  }
}

const invalid = (cause?: unknown) => new AppError('token_invalid', 'This is not an access token of ours', { cause })
