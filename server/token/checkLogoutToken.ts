import { compactVerify, decodeJwt, decodeProtectedHeader, errors, type JWTPayload } from 'jose'
import type { Runtime } from '#server/runtime.ts'

export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** The `typ` of its header, so that it is never taken for a token of another kind. */
export const LOGOUT_TYP = 'logout+jwt'

export type LogoutCheck = { name: string; ok: boolean; detail: string }

export type LogoutToken = { header: Record<string, unknown>; claims: Record<string, unknown>; checks: LogoutCheck[] }

/**
 * Judges a logout token as its receiver has to (OpenID Connect Back-Channel Logout 1.0 §2.6), rule by rule, at a moment: now, or when it was sent.
 * @param audience the `aud` of the app's tokens; undefined accepts any, where it is not known whose the token is
 * @returns undefined for what is no JWT at all
 */
export async function checkLogoutToken(
  runtime: Runtime,
  token: string,
  expected: { audience?: string | string[] | undefined; at: Date },
): Promise<LogoutToken | undefined> {
  const read = decode(token)
  if (!read) return undefined
  const { header, claims } = read
  const { iss, aud, iat, exp, sub, sid, jti, events } = claims
  const issuer = runtime.config.publicUrl
  const at = expected.at.getTime() / 1000
  const wanted = expected.audience === undefined ? undefined : [expected.audience].flat()
  const named = [aud].flat()
  const says = (value: unknown) => (typeof value === 'string' ? value.slice(0, 200) : 'missing')
  const isTyped = header['typ'] === LOGOUT_TYP
  const isOurs = named.length > 0 && named.every((one) => typeof one === 'string' && (wanted?.includes(one) ?? true))
  const told = isLogoutEvent(events)
  const checks: LogoutCheck[] = [
    check('typ', isTyped, isTyped ? LOGOUT_TYP : `${says(header['typ'])}; a logout token has ${LOGOUT_TYP}`),
    await signatureOf(runtime, token, header),
    check('iss', iss === issuer, iss === issuer ? `${issuer}, this installation` : `${says(iss)}, not ${issuer}`),
    check(
      'aud',
      isOurs,
      `${named.map(says).join(', ')}${wanted && !isOurs ? `; the app's audience is ${wanted.join(', ')}` : ''}`,
    ),
    check(
      'iat, exp',
      typeof iat === 'number' && typeof exp === 'number' && iat <= at && at < exp,
      lifeOf(iat, exp, at),
    ),
    check('sub, sid', typeof sub === 'string' && typeof sid === 'string', `user ${says(sub)}, session ${says(sid)}`),
    check('events', told, `${told ? 'holds' : 'has to hold'} the member ${LOGOUT_EVENT}, an object`),
    check('jti', typeof jti === 'string' && jti !== '', `${says(jti)}, another one on each try`),
    check(
      'nonce',
      !('nonce' in claims),
      'nonce' in claims
        ? 'must not be there: only ID tokens have one'
        : 'is not there, so it is never taken for an ID token',
    ),
  ]
  return { header, claims, checks }
}

const check = (name: string, ok: boolean, detail: string): LogoutCheck => ({ name, ok, detail })

async function signatureOf(runtime: Runtime, token: string, header: Record<string, unknown>): Promise<LogoutCheck> {
  const { kid, alg } = header
  const key = typeof kid === 'string' ? await runtime.keys.find(kid) : undefined
  if (!key)
    return check(
      'signature',
      false,
      `its key is not (or no longer) at ${runtime.config.publicUrl}/.well-known/jwks.json`,
    )
  try {
    await compactVerify(token, key, { algorithms: ['EdDSA'] })
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    return check('signature', false, `does not hold under the key ${String(kid)}`)
  }
  return check('signature', true, `${String(alg)}, by the published key ${String(kid)}`)
}

function lifeOf(iat: unknown, exp: unknown, at: number): string {
  if (typeof iat !== 'number' || typeof exp !== 'number') return 'one is missing'
  if (at >= exp) return `passed ${Math.ceil(at - exp)} s before`
  return `good for ${exp - iat} s from when it was signed`
}

function isLogoutEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, LOGOUT_EVENT)) return false
  const event = (events as Record<string, unknown>)[LOGOUT_EVENT]
  return typeof event === 'object' && event !== null && !Array.isArray(event)
}

function decode(token: string): { header: Record<string, unknown>; claims: JWTPayload } | undefined {
  try {
    return { header: decodeProtectedHeader(token) as Record<string, unknown>, claims: decodeJwt(token) }
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
    throw error
  }
}
