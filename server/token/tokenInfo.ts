import { authenticateApp } from '#server/app/apiKeys.ts'
import { audienceOf, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { isWithin, parseNetworks } from '#server/http/address.ts'
import { publicUser } from '#server/identity/publicUser.ts'
import { seenUser } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { verifyAccess } from './verifyAccess.ts'

export type TokenInfo = {
  sub: string
  iat: number
  exp: number
  email?: string
  email_verified?: boolean
  name?: string
  aud: string | string[]
}

/**
 * What a live access token says of its bearer, in the shape of Saakuru's tokenInfoURL, so that a Gatehouse app can itself be another system's
 * sign-in. The token is proof enough to ask; where the app has an IP allow-list the asker has to stand on it, and an API key that is shown has to be
 * this app's. No activity of the person.
 * @throws AppError as `verifyAccess`, ip_not_allowed, invalid_credentials, forbidden
 */
export async function tokenInfo(
  runtime: Runtime,
  input: { token: string; key: string | undefined; ip: string },
): Promise<TokenInfo> {
  const { token, key, ip } = input
  const caller = key === undefined ? undefined : await authenticateApp(runtime, { key, ip }, 'tokens:introspect')
  const access = await verifyAccess(runtime, token)
  if (caller && caller.id !== access.app.id)
    throw new AppError('token_invalid', 'This is not an access token of this app')
  if (!caller) assertAllowed(access.app, ip)
  const { id: sub, email, emailVerified, name } = await publicUser(runtime, seenUser(access))
  const since = access.token.kind === 'jwt' ? access.token.iat * 1000 : access.session.createdAt.getTime()
  return {
    sub,
    iat: Math.floor(since / 1000),
    exp: Math.floor(access.tokenExpiresAt.getTime() / 1000),
    ...(email !== undefined && { email }),
    ...(email !== undefined && emailVerified !== undefined && { email_verified: emailVerified }),
    ...(name !== undefined && { name }),
    aud: audienceOf(access.app),
  }
}

function assertAllowed(app: App, ip: string): void {
  const { ipAllowList } = app.settings
  if (ipAllowList.length > 0 && !isWithin(ip, parseNetworks(ipAllowList)))
    throw new AppError('ip_not_allowed', `${ip} is not on this app's list of allowed addresses`)
}
