import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret, withSecret } from '#server/secret/opaque.ts'
import { freshBytes } from '#server/secret/random.ts'
import type { SessionRow } from '#server/session/session.ts'
import { signAccessToken } from './jwt.ts'
import { insertAccessToken } from './store.ts'

export type AccessToken = { accessToken: string; expiresIn: number }

/** Seconds an access token issued now lives: the app's, but never past the session's absolute end. */
export function accessTtl(app: App, session: Pick<SessionRow, 'expiresAt'>, now: Date): number {
  const left = Math.floor((session.expiresAt.getTime() - now.getTime()) / 1000)
  return Math.max(0, Math.min(app.settings.sessionPolicy.accessTokenTtl, left))
}

/**
 * The part of issuing that belongs into the transaction: the row of an opaque token. Returns the finished opaque token, or undefined
 * for an app whose tokens are JWTs, which are signed after the commit (`issueAccess`).
 */
export async function recordAccess(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  session: SessionRow,
  now: Date,
): Promise<string | undefined> {
  if (app.settings.sessionPolicy.accessTokenFormat === 'jwt') return undefined
  const secret = freshBytes(32)
  const expiresAt = new Date(now.getTime() + accessTtl(app, session, now) * 1000)
  const row = await insertAccessToken(tx, { sessionId: session.id, tokenHash: hashSecret(secret), expiresAt })
  return withSecret(runtime.vault.ids, 'at', row, secret).token
}

/** The access token for the caller: the opaque one that was recorded, or a JWT signed now. */
export async function issueAccess(
  runtime: Runtime,
  app: App,
  session: Pick<SessionRow, 'id' | 'userId' | 'expiresAt'>,
  opaque: string | undefined,
  now: Date,
): Promise<AccessToken> {
  const ttl = accessTtl(app, session, now)
  return {
    accessToken:
      opaque ?? (await signAccessToken(runtime, { app, sessionId: session.id, userId: session.userId, now, ttl })),
    expiresIn: ttl,
  }
}
