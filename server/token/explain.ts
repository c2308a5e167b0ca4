import { decodeJwt, decodeProtectedHeader, errors } from 'jose'
import { findByKey } from '#server/app/app.ts'
import { AppError, type ErrorCode } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { matches, readOpaque, type OpaqueKind } from '#server/secret/opaque.ts'
import type { SessionRow } from '#server/session/session.ts'
import { findSessionRow } from '#server/session/store.ts'
import { looksLikeJwt } from './jwt.ts'
import { introspect } from './introspect.ts'
import { assertKnown } from './refresh.ts'
import { findAccessToken } from './store.ts'
import { liveSession, verifyAccess } from './verifyAccess.ts'

export type TokenExplanation = {
  valid: boolean
  /** Why it is refused, for people, and the public code. */
  reason?: string
  code?: ErrorCode
  /** What more is known of the refusal, such as when the session ended. */
  details?: Record<string, unknown>
  kind: 'access token (JWT)' | 'access token (opaque)' | 'refresh token' | 'API key' | 'operator token' | 'unknown'
  /** What a JWT says of itself, verified or not. */
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  session?: Record<string, unknown>
}

const kinds: Record<OpaqueKind, TokenExplanation['kind']> = {
  at: 'access token (opaque)',
  rt: 'refresh token',
  sk: 'API key',
  op: 'operator token',
  oc: 'operator token',
}

/** Tells whether a token of ours would be accepted right now and, if not, why. Does not count as activity. */
export async function explainToken(runtime: Runtime, token: string): Promise<TokenExplanation> {
  const explanation: TokenExplanation = { valid: false, kind: 'unknown' }
  try {
    if (looksLikeJwt(token)) await explainJwt(runtime, explanation, token)
    else await explainOpaque(runtime, explanation, token)
    return { ...explanation, valid: true }
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error
    const { message: reason, code, details } = error
    return { ...explanation, reason, code, ...(details && { details }) }
  }
}

async function explainJwt(runtime: Runtime, explanation: TokenExplanation, token: string): Promise<void> {
  explanation.kind = 'access token (JWT)'
  try {
    explanation.header = decodeProtectedHeader(token) as Record<string, unknown>
    explanation.claims = decodeJwt(token)
  } catch (cause) {
    if (!(cause instanceof errors.JOSEError || cause instanceof TypeError)) throw cause
    throw new AppError('token_invalid', 'The header or the claims of this JWT are not JSON', { cause })
  }
  const { iss, sid } = explanation.claims
  const { kid } = explanation.header
  const known = typeof kid === 'string' && (await runtime.keys.find(kid))
  if (!known) throw new AppError('token_invalid', 'No key of this installation signed this token (unknown kid)')
  if (iss !== runtime.config.publicUrl)
    throw new AppError('token_invalid', `The issuer is ${String(iss)}, and this is ${runtime.config.publicUrl}`)
  const id = runtime.vault.ids.parse('ses', String(sid))
  try {
    await verifyAccess(runtime, token)
  } catch (error) {
    // Under a forged signature the claims name a session that the bearer may know nothing of.
    if (error instanceof AppError && error.code !== 'token_invalid') await showSession(runtime, explanation, id)
    throw error
  }
  await showSession(runtime, explanation, id)
}

async function explainOpaque(runtime: Runtime, explanation: TokenExplanation, token: string): Promise<void> {
  const presented = readOpaque(runtime.vault.ids, token)
  if (!presented) throw new AppError('token_invalid', 'This is not a token of this installation')
  explanation.kind = kinds[presented.kind]
  switch (presented.kind) {
    case 'at': {
      const row = await findAccessToken(runtime.db, presented.row)
      if (row && matches(presented.secret, row.tokenHash)) await showSession(runtime, explanation, row.sessionId)
      await verifyAccess(runtime, token)
      return
    }
    case 'rt':
      await explainRefresh(runtime, explanation, presented, token)
      return
    default:
      throw new AppError('token_invalid', `This is an ${explanation.kind}, which speaks for no user`)
  }
}

async function explainRefresh(
  runtime: Runtime,
  explanation: TokenExplanation,
  presented: Parameters<typeof assertKnown>[1],
  token: string,
): Promise<void> {
  const row = await assertKnown(runtime, presented)
  await showSession(runtime, explanation, row.id)
  await liveSession(runtime, row.id)
  if (runtime.now() >= row.refreshExpiresAt)
    throw new AppError('token_expired', 'The refresh token has expired; sign in again')
  const app = await findByKey(runtime, runtime.vault.ids.seal('app', row.appId))
  if (!app || !(await introspect(runtime, app, token)).active)
    throw new AppError('token_invalid', 'This refresh token was replaced by a newer one')
}

async function showSession(runtime: Runtime, explanation: TokenExplanation, id: number | undefined): Promise<void> {
  const row = id === undefined ? undefined : await findSessionRow(runtime.db, id)
  if (row) explanation.session = describeSession(runtime, row)
}

function describeSession(runtime: Runtime, row: SessionRow) {
  const { ids } = runtime.vault
  return {
    id: ids.seal('ses', row.id),
    appId: ids.seal('app', row.appId),
    userId: ids.seal('usr', row.userId),
    method: row.method,
    createdAt: row.createdAt,
    lastActiveAt: row.lastActiveAt,
    expiresAt: row.expiresAt,
    endedAt: row.endedAt,
    endReason: row.endReason,
    endedBy: row.endedBy,
  }
}
