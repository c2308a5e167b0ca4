import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { readOpaque } from '#server/secret/opaque.ts'
import { revokeSession, type End } from '#server/session/revoke.ts'
import { assertKnown } from './refresh.ts'
import { verifyAccess } from './verifyAccess.ts'

/**
 * Ends the session that a token, access or refresh, belongs to (RFC 7009 §2.1: related tokens go with it). Unknown, foreign and
 * expired tokens change nothing; the caller cannot tell. Returns whether a session was ended.
 */
export async function revokeToken(runtime: Runtime, token: string, end: End, only?: App): Promise<boolean> {
  const session = await sessionOf(runtime, token, only).catch((error: unknown) => {
    if (error instanceof AppError && error.status < 500) return undefined
    throw error
  })
  return session === undefined ? false : revokeSession(runtime, session, end)
}

async function sessionOf(runtime: Runtime, token: string, only?: App): Promise<number | undefined> {
  if (token.startsWith('gh_rt_')) {
    const presented = readOpaque(runtime.vault.ids, token)
    return presented?.kind === 'rt' ? (await assertKnown(runtime, presented, only)).id : undefined
  }
  const access = await verifyAccess(runtime, token)
  return only && access.app.id !== only.id ? undefined : access.session.id
}
