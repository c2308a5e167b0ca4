import type { App } from '#server/app/app.ts'
import { driverCode } from '#server/db/database.ts'
import { moment } from '#server/http/moment.ts'
import type { Runtime } from '#server/runtime.ts'
import type { sessions } from '#server/db/schema.ts'

export type SessionRow = typeof sessions.$inferSelect

export type SignInMethod = SessionRow['method']

/** Whether a write failed because the user or session it hangs on was erased meanwhile. */
export const wasErased = (error: unknown): boolean =>
  ['23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'].includes(driverCode(error) ?? '')

/** Why a session ended (contract §4). */
export const endReasons = [
  'logout',
  'logout_all',
  'limit_exceeded',
  'revoked_by_operator',
  'revoked_by_app',
  'refresh_reuse',
  'signature_reset_failed',
  'user_blocked',
  'user_erased',
  'account_linked',
  'app_disabled',
  'idle_timeout',
  'absolute_timeout',
] as const
export type EndReason = (typeof endReasons)[number]

/** What decides whether a session is over by time. */
export type Lifetime = Pick<SessionRow, 'id' | 'lastActiveAt' | 'expiresAt'>

/** When a session ends unless it is used. Never past its absolute end. */
export function idleExpiry(runtime: Runtime, session: Lifetime, idleTimeout: number): Date {
  const idle = runtime.activity.lastActiveAt(session) + idleTimeout * 1000
  return new Date(Math.min(idle, session.expiresAt.getTime()))
}

/** Whether time has ended a session that nobody has: the reason and the moment, or undefined while it lives. */
export function timedOut(
  runtime: Runtime,
  session: Lifetime,
  idleTimeout: number,
  now: Date,
): { reason: EndReason; at: Date } | undefined {
  if (now >= session.expiresAt) return { reason: 'absolute_timeout', at: session.expiresAt }
  const idle = idleExpiry(runtime, session, idleTimeout)
  return now >= idle ? { reason: 'idle_timeout', at: idle } : undefined
}

/** A session as the public API shows it (contract §3, Login). */
export function publicSession(
  runtime: Runtime,
  app: App,
  session: Lifetime & Pick<SessionRow, 'userId' | 'createdAt' | 'method'>,
) {
  const { ids } = runtime.vault
  return {
    id: ids.seal('ses', session.id),
    appId: app.publicId,
    userId: ids.seal('usr', session.userId),
    createdAt: moment(session.createdAt),
    lastActiveAt: moment(runtime.activity.lastActiveAt(session)),
    idleExpiresAt: moment(idleExpiry(runtime, session, app.settings.sessionPolicy.idleTimeout)),
    expiresAt: moment(session.expiresAt),
    method: session.method,
  }
}
