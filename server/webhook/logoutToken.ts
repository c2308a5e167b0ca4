import { randomUUID } from 'node:crypto'
import { appIn, audienceOf } from '#server/app/app.ts'
import { readPayload } from '#server/event/payload.ts'
import type { Runtime } from '#server/runtime.ts'
import { LOGOUT_EVENT, LOGOUT_TYP } from '#server/token/checkLogoutToken.ts'
import { signJwt } from '#server/token/jwt.ts'

/** Seconds a receiver may take a logout token for fresh; each attempt signs its own. */
const LIFE = 120

/** The one type of event such an endpoint is told of. */
export const LOGOUT_TYPE = 'session.ended'

/**
 * The body that tells an endpoint of a session's end as OpenID Connect Back-Channel Logout 1.0 §2.5 says: a form with a signed `logout+jwt` whose `sub` and
 * `sid` are those of the access tokens. Undefined for what is no session's end, and for an app that is gone.
 */
export async function logoutForm(
  runtime: Runtime,
  appId: number,
  event: { type: string; payload: string },
  now: Date,
): Promise<string | undefined> {
  const app = event.type === LOGOUT_TYPE ? await appIn(runtime, runtime.db, appId) : undefined
  if (!app) return undefined
  const { userId, sessionId } = readPayload(event.payload).data.content as { userId: string; sessionId: string }
  const iat = Math.floor(now.getTime() / 1000)
  const token = signJwt(await runtime.keys.active(), LOGOUT_TYP, {
    iss: runtime.config.publicUrl,
    aud: audienceOf(app),
    sub: userId,
    sid: sessionId,
    iat,
    exp: iat + LIFE,
    jti: randomUUID(),
    events: { [LOGOUT_EVENT]: {} },
  })
  return new URLSearchParams({ logout_token: token }).toString()
}
