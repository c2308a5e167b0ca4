import { appAt, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { proveOpaque } from '#server/secret/opaque.ts'
import { refuseEnded } from '#server/session/ended.ts'
import { timedOut } from '#server/session/session.ts'
import { findSession, findSessionOfToken, type FoundSession } from '#server/session/store.ts'
import { verifyAccessJwt } from './jwt.ts'

/** A live session and what its bearer token says. */
export type Access = {
  app: App
  session: FoundSession['session']
  found: FoundSession
  /** When the presented token stops working, unless it slides. */
  tokenExpiresAt: Date
  /** The row of an opaque token and what it says of its end, or what a JWT says of itself. */
  token: { kind: 'opaque'; row: number; expiresAt: Date } | { kind: 'jwt'; jti: string; iat: number }
}

/**
 * Who a bearer token speaks for, right now: signature or hash, expiry, and then always the session's own row, so that a
 * revocation, an eviction or a disabled app is felt on the very next call.
 * @throws AppError token_invalid, token_expired, session_revoked, session_expired, app_disabled
 */
export function verifyAccess(runtime: Runtime, token: string): Promise<Access> {
  return token.startsWith('gh_') ? verifyOpaque(runtime, token) : verifyJwt(runtime, token)
}

async function verifyJwt(runtime: Runtime, token: string): Promise<Access> {
  const known = runtime.verified.get(token)
  // Nothing that a deleted key has signed is remembered.
  const claims = known && runtime.keys.holds(known.kid) ? known : await verifyAccessJwt(runtime, token)
  // The session first: to hear that it is over and why helps more than to be sent to refresh a token in vain.
  const { found, app } = await liveSession(runtime, claims.sessionId)
  if (runtime.now().getTime() >= claims.exp * 1000)
    throw new AppError('token_expired', 'The access token has expired; refresh it')
  return {
    app,
    session: found.session,
    found,
    tokenExpiresAt: new Date(claims.exp * 1000),
    token: { kind: 'jwt', jti: claims.jti, iat: claims.iat },
  }
}

async function verifyOpaque(runtime: Runtime, token: string): Promise<Access> {
  const row = await proveOpaque(
    runtime,
    'at',
    token,
    (id) => findSessionOfToken(runtime.db, id),
    (row) => Buffer.from(row.token.hash, 'hex'),
  )
  if (!row) throw new AppError('token_invalid', 'This is not an access token of ours')
  const { found, app } = await assertLive(runtime, row)
  const { id, expiresAt } = row.token
  const tokenExpiresAt = slidingExpiry(runtime, app, { id, expiresAt }, found.session.expiresAt)
  if (runtime.now() >= tokenExpiresAt)
    throw new AppError('token_expired', 'The access token has not been used in time; refresh it')
  return { app, session: found.session, found, tokenExpiresAt, token: { kind: 'opaque', row: id, expiresAt } }
}

/** An opaque token lives from its last use on, never past the session's absolute end (contract §4, Metapro). */
function slidingExpiry(runtime: Runtime, app: App, row: { id: number; expiresAt: Date }, end: Date): Date {
  const usedAt = runtime.activity.tokenUsedAt(row.id)
  const slid = usedAt === undefined ? 0 : usedAt + app.settings.sessionPolicy.accessTokenTtl * 1000
  return new Date(Math.min(Math.max(row.expiresAt.getTime(), slid), end.getTime()))
}

/** The session with its app, refused unless it lives. */
export async function liveSession(runtime: Runtime, sessionId: number): Promise<Live> {
  return assertLive(runtime, await findSession(runtime.db, sessionId))
}

type Live = { found: FoundSession; app: App }

async function assertLive(runtime: Runtime, found: FoundSession | undefined): Promise<Live> {
  if (!found)
    throw new AppError('session_revoked', 'This session no longer exists', { details: { reason: 'user_erased' } })
  const app = await appAt(runtime, found.session.appId, found.appVersion)
  if (!app)
    throw new AppError('session_revoked', 'This session no longer exists', { details: { reason: 'user_erased' } })
  if (app.disabled) throw new AppError('app_disabled', 'This app is switched off')
  if (found.session.endedAt) throw await refuseEnded(runtime, { ...found.session, endedAt: found.session.endedAt })
  // Blocking ends all sessions; this is for one that was being opened at that moment.
  if (found.userBlockedAt) throw new AppError('user_blocked', 'This account is blocked')
  const over = timedOut(runtime, found.session, app.settings.sessionPolicy.idleTimeout, runtime.now())
  if (over) throw await refuseEnded(runtime, { ...found.session, endedAt: over.at, endReason: over.reason })
  return { found, app }
}

/** Counts a call as activity: the session stays awake, an opaque token slides. Returns what is so afterwards. */
export async function touchAccess(runtime: Runtime, access: Access, now: Date): Promise<Access> {
  const { app, session, token } = access
  const { idleTimeout, accessTokenTtl } = app.settings.sessionPolicy
  const writing = runtime.activity.touch(session, now, idleTimeout)
  // Once written it is no longer in memory, so the row as it was read is brought up to date.
  if (writing) await writing
  const touched = writing ? { ...access, session: { ...session, lastActiveAt: now } } : access
  if (token.kind === 'jwt') return touched
  await runtime.activity.touchToken(token, now, accessTokenTtl)
  const slid = Math.min(now.getTime() + accessTokenTtl * 1000, session.expiresAt.getTime())
  return { ...touched, tokenExpiresAt: new Date(Math.max(slid, access.tokenExpiresAt.getTime())) }
}
