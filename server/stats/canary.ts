import { randomBytes } from 'node:crypto'
import { openApp, type App } from '#server/app/app.ts'
import { defaultSettings } from '#server/app/settings.ts'
import { deleteApp, findApp, findVersion, insertApp } from '#server/app/store.ts'
import { AppError } from '#server/error.ts'
import { findOrCreate } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { openSession } from '#server/session/open.ts'
import { endSession } from '#server/session/store.ts'
import { issueAccess } from '#server/token/issue.ts'
import { verifyAccess } from '#server/token/verifyAccess.ts'
import { bucketOf } from './latency.ts'

/** No app of anybody's can be called this: a slug begins with a letter or a digit. */
const SLUG = '_canary'
const PATIENCE_MS = 10_000

/** Older than this, a canary is no other process's that is being measured just now. */
const LEFT_BEHIND_MS = 60_000

/**
 * Opens a session of nobody, ends it, and takes the time from the order until it is refused, in milliseconds. App, person and session are gone
 * afterwards; what a crash left behind is cleared by the next. Undefined while another process measures.
 */
export async function runCanary(runtime: Runtime): Promise<number | undefined> {
  const { db, vault } = runtime
  const left = await findVersion(db, { slug: SLUG })
  const now = runtime.now()
  const old = left && (await findApp(db, left.id))
  if (old && now.getTime() - old.createdAt.getTime() < LEFT_BEHIND_MS) return undefined
  const { app, session } = await db.transaction(async (tx) => {
    if (old) await deleteApp(tx, old.id)
    const row = await insertApp(tx, {
      slug: SLUG,
      name: 'Canary',
      settings: JSON.stringify(defaultSettings),
      secretsSealed: vault.seal('{}', 'apps.secrets'),
      createdAt: now,
      updatedAt: now,
    })
    const app: App = openApp(vault, row)
    const proof = { kind: 'telegram' as const, subject: randomBytes(8).toString('hex'), profile: {} }
    const { userId, identityId } = await findOrCreate(runtime, tx, app, proof, now)
    const origin = { ip: '127.0.0.1', userAgent: undefined }
    const opened = await openSession(runtime, tx, { app, userId, identityId, method: 'telegram', origin, now })
    return { app, session: opened.session }
  })
  try {
    const { accessToken } = await issueAccess(runtime, app, session, undefined, now)
    await verifyAccess(runtime, accessToken)
    const began = performance.now()
    // Not by the use case, which would count it among people's logouts and tell apps of it.
    await db.transaction((tx) => endSession(tx, session.id, { reason: 'logout', at: runtime.now() }))
    for (;;) {
      if (await isRefused(runtime, accessToken)) break
      if (performance.now() - began > PATIENCE_MS) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    const took = performance.now() - began
    runtime.figures.count(0, `revocation.${bucketOf(took)}`)
    return took
  } finally {
    await db.transaction((tx) => deleteApp(tx, app.id))
    runtime.apps.delete(app.id)
  }
}

async function isRefused(runtime: Runtime, token: string): Promise<boolean> {
  try {
    await verifyAccess(runtime, token)
    return false
  } catch (error) {
    if (error instanceof AppError && error.code === 'session_revoked') return true
    throw error
  }
}
