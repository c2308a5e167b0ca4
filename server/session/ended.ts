import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { EndReason } from './session.ts'
import { findReplacement } from './store.ts'

/** Why a session ended, as its owner is told. */
const sentences: Record<EndReason, string> = {
  logout: 'You signed out',
  logout_all: 'You signed out everywhere',
  limit_exceeded: 'You signed in somewhere else, and the number of sessions at once is limited',
  revoked_by_operator: 'An operator ended this session',
  revoked_by_app: 'The app ended this session',
  refresh_reuse: 'A refresh token was used twice, so the session was ended for safety',
  signature_reset_failed: 'Too many wrong codes were entered, so all sessions were ended',
  user_blocked: 'This account is blocked',
  user_erased: 'This account was erased',
  account_linked: 'This account was joined with another one of yours',
  app_disabled: 'The app was switched off',
  idle_timeout: 'The session was not used for too long',
  absolute_timeout: 'The session reached its longest lifetime',
}

export const explainEnd = (reason: string | null): string => sentences[reason as EndReason] ?? 'The session was ended'

/**
 * The refusal for a session that is over. It says why and since when, and for an evicted one when and on what kind of device the new
 * login was, so that the person can tell their own phone from a thief's.
 */
export async function refuseEnded(
  runtime: Runtime,
  session: { userId: number; endedAt: Date; endReason: string | null },
): Promise<AppError> {
  const timeout = session.endReason === 'idle_timeout' || session.endReason === 'absolute_timeout'
  const replacement = session.endReason === 'limit_exceeded' ? await findReplacement(runtime.db, session) : undefined
  return new AppError(
    timeout ? 'session_expired' : 'session_revoked',
    `${explainEnd(session.endReason)}; sign in again`,
    {
      details: {
        reason: session.endReason,
        endedAt: session.endedAt.toISOString(),
        ...(replacement && {
          replacedBy: {
            at: replacement.createdAt.toISOString(),
            method: replacement.method,
            device: replacement.userAgent,
          },
        }),
      },
    },
  )
}
