import { audienceOf, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret, readOpaque } from '#server/secret/opaque.ts'
import { timingSafeEqual } from 'node:crypto'
import { assertKnown } from './refresh.ts'
import { liveSession, verifyAccess, type Access } from './verifyAccess.ts'

/** RFC 7662 §2.2. Anything that is not a live token of the asking app is `{active: false}` and nothing more. */
export type Introspection = { active: false } | { active: true; [claim: string]: unknown }

/** What a token is worth right now, for the app's own server. Does not count as activity. */
export async function introspect(runtime: Runtime, app: App, token: string): Promise<Introspection> {
  try {
    return token.startsWith('gh_rt_')
      ? await introspectRefresh(runtime, app, token)
      : await introspectAccess(runtime, app, token)
  } catch (error) {
    if (error instanceof AppError && error.status < 500) return { active: false }
    throw error
  }
}

async function introspectAccess(runtime: Runtime, app: App, token: string): Promise<Introspection> {
  const access = await verifyAccess(runtime, token)
  if (access.app.id !== app.id) return { active: false }
  return {
    ...common(runtime, access),
    token_type: 'Bearer',
    exp: Math.floor(access.tokenExpiresAt.getTime() / 1000),
    ...(access.token.kind === 'jwt' && { iat: access.token.iat, jti: access.token.jti }),
  }
}

async function introspectRefresh(runtime: Runtime, app: App, token: string): Promise<Introspection> {
  const presented = readOpaque(runtime.vault.ids, token)
  if (presented?.kind !== 'rt') return { active: false }
  const row = await assertKnown(runtime, presented, app)
  const current =
    presented.counter === row.refreshGeneration && timingSafeEqual(hashSecret(presented.secret), row.refreshHash)
  if (!current || runtime.now() >= row.refreshExpiresAt) return { active: false }
  const { found } = await liveSession(runtime, row.id)
  return {
    ...common(runtime, { app, session: found.session }),
    token_type: 'refresh_token',
    exp: Math.floor(row.refreshExpiresAt.getTime() / 1000),
  }
}

function common(runtime: Runtime, access: Pick<Access, 'app' | 'session'>) {
  const { ids } = runtime.vault
  return {
    active: true as const,
    iss: runtime.config.publicUrl,
    sub: ids.seal('usr', access.session.userId),
    aud: audienceOf(access.app),
    client_id: access.app.publicId,
    sid: ids.seal('ses', access.session.id),
    iat: Math.floor(access.session.createdAt.getTime() / 1000),
    auth_method: access.session.method,
  }
}
