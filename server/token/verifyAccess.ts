import { appAt, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { matches, readOpaque } from '#server/secret/opaque.ts'
import { refuseEnded } from '#server/session/ended.ts'
import { timedOut } from '#server/session/session.ts'
import { findSession, type FoundSession } from '#server/session/store.ts'
import { verifyAccessJwt } from './jwt.ts'
import { findAccessToken } from './store.ts'

/** A live session and what its bearer token says. */
export type Access = {
  app: App
  session: FoundSession['session']
  found: FoundSession
  /** When the presented token stops working, unless it slides. */
  tokenExpiresAt: Date
  /** The row of an opaque token, or the `jti` of a JWT. */
  token: { kind: 'opaque'; row: number } | { kind: 'jwt'; jti: string }
}

/**
 * Who a bearer token speaks for, right now: signature or hash, expiry, and then always the session's own row, so that a
 * revocation, an eviction or a disabled app is felt on the very next call.
 * @throws AppError token_invalid, token_expired, session_revoked, session_expired, app_disabled
 */
export async function verifyAccess(runtime: Runtime, token: string): Promise<Access> {
  return token.startsWith('gh_') ? verifyOpaque(runtime, token) : verifyJwt(runtime, token)
}

async function verifyJwt(runtime: Runtime, token: string): Promise<Access> {
  const claims = await verifyAccessJwt(runtime, token)
  const { found, app } = await liveSession(runtime, claims.sessionId)
  return {
    app,
    session: found.session,
    found,
    tokenExpiresAt: new Date(claims.exp * 1000),
    token: { kind: 'jwt', jti: claims.jti },
  }
}

async function verifyOpaque(runtime: Runtime, token: string): Promise<Access> {
  const presented = readOpaque(runtime.vault.ids, token)
  const row = presented?.kind === 'at' ? await findAccessToken(runtime.db, presented.row) : undefined
  if (!row || !presented || !matches(presented.secret, row.tokenHash))
    throw new AppError('token_invalid', 'This is not an access token of ours')
  const { found, app } = await liveSession(runtime, row.sessionId)
  const tokenExpiresAt = slidingExpiry(runtime, app, row, found.session.expiresAt)
  if (runtime.now() >= tokenExpiresAt)
    throw new AppError('token_expired', 'The access token has not been used in time; refresh it')
  return { app, session: found.session, found, tokenExpiresAt, token: { kind: 'opaque', row: row.id } }
}

/** An opaque token lives from its last use on, never past the session's absolute end (contract §4, Metapro). */
function slidingExpiry(runtime: Runtime, app: App, row: { id: number; expiresAt: Date }, end: Date): Date {
  const usedAt = runtime.activity.tokenUsedAt(row.id)
  const slid = usedAt === undefined ? 0 : usedAt + app.settings.sessionPolicy.accessTokenTtl * 1000
  return new Date(Math.min(Math.max(row.expiresAt.getTime(), slid), end.getTime()))
}

/** The session with its app, refused unless it lives. */
export async function liveSession(runtime: Runtime, sessionId: number): Promise<{ found: FoundSession; app: App }> {
  const found = await findSession(runtime.db, sessionId)
  if (!found)
    throw new AppError('session_revoked', 'This session no longer exists', { details: { reason: 'user_erased' } })
  const app = await appAt(runtime, found.session.appId, found.appVersion)
  if (!app)
    throw new AppError('session_revoked', 'This session no longer exists', { details: { reason: 'user_erased' } })
  if (found.session.endedAt) throw await refuseEnded(runtime, { ...found.session, endedAt: found.session.endedAt })
  if (app.disabled) throw new AppError('app_disabled', 'This app is switched off')
  const over = timedOut(runtime, found.session, app.settings.sessionPolicy.idleTimeout, runtime.now())
  if (over) throw await refuseEnded(runtime, { ...found.session, endedAt: over.at, endReason: over.reason })
  return { found, app }
}

/** Counts a call as activity: the session stays awake, an opaque token slides. */
export function touchAccess(runtime: Runtime, access: Access, now: Date): void {
  const { idleTimeout, accessTokenTtl } = access.app.settings.sessionPolicy
  runtime.activity.touch(access.session, now, idleTimeout)
  if (access.token.kind === 'opaque') runtime.activity.touchToken(access.token.row, now, accessTokenTtl)
}
