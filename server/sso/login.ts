import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { signIn, type Login } from '#server/session/signIn.ts'
import { checkClaims, type Verified } from './claims.ts'
import { noteRefusal } from './health.ts'
import { askTokenInfo, expectedOf } from './tokenInfo.ts'
import { upstreamOf } from './upstream.ts'

/** A token of the app's own server. What could end a header or a line in it never leaves this process. */
export const ssoToken = z
  .string()
  .max(8192)
  .regex(/^[\x21-\x7e]+$/, { message: 'must be a token of printable ASCII characters without spaces' })

export const ssoLoginInput = z.strictObject({ token: ssoToken })

/**
 * Signs a user of the app's own system in: the app's tokenInfoURL says who the token's bearer is. The person is (app, `sub`), never the e-mail.
 * @throws AppError sso_token_rejected, sso_upstream_failed, sso_upstream_unavailable, sso_upstream_timeout, user_blocked, session_limit_reached
 */
export async function ssoLogin(runtime: Runtime, app: App, input: { token: string }, origin: Origin): Promise<Login> {
  if (app.settings.sso.tokenInfoUrl === null)
    throw new AppError('invalid_request', 'This app has no token-info URL yet; an operator can set it in the console')
  const { subject, profile } = await verifyToken(runtime, app, input.token, origin)
  await runtime.limits.account(app, `sso ${subject}`)
  return signIn(runtime, { app, origin, proof: { kind: 'sso', subject, profile } })
}

async function verifyToken(runtime: Runtime, app: App, token: string, origin: Origin): Promise<Verified> {
  const info = await askTokenInfo(runtime, app, token)
  const verified = info.kind === 'claims' ? checkClaims(info.claims, expectedOf(app, runtime.now())) : undefined
  if (verified?.subject !== undefined) return verified

  const refusal = refusalOf(info, verified?.checks)
  const { health } = upstreamOf(runtime, app)
  const reason = info.kind === 'failed' ? info.reason : refusal.message
  noteRefusal(health, { at: runtime.now().toISOString(), code: refusal.code, reason, ip: origin.ip })
  runtime.log.debug({ app: app.publicId, code: refusal.code, reason }, 'a token was refused')
  throw refusal
}

/** What the public is told: which claim does not hold, but nothing of the inside of the app's network. */
function refusalOf(info: Awaited<ReturnType<typeof askTokenInfo>>, checks: Verified['checks'] = []): AppError {
  if (info.kind === 'refused')
    return new AppError(
      'sso_token_rejected',
      `The server of this app does not accept the token: it answered ${info.status} instead of 200` +
        (info.status >= 500 ? '; it may have failed, so the same token may hold later' : ''),
      { details: { upstreamStatus: info.status } },
    )
  if (info.kind === 'failed') {
    const { code, reason, retryAfter } = info
    const said = code === 'sso_upstream_unavailable' ? reason : messages[code]
    return new AppError(code, `${said}; try again`, {
      cause: new Error(reason),
      ...(retryAfter !== undefined && { retryAfter }),
    })
  }
  const failing = checks.filter(({ ok }) => !ok)
  return new AppError('sso_token_rejected', failing.map(({ claim, reason }) => `${claim} ${reason}`).join('; '), {
    details: { claims: failing.map(({ claim }) => claim) },
  })
}

const messages = {
  sso_upstream_failed: 'The server of this app cannot be asked about the token',
  sso_upstream_timeout: 'The server of this app did not answer in time',
}
