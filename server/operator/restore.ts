import { listAllApps } from '#server/app/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { revokeAppSessions } from '#server/session/revoke.ts'
import { cliActor, recordAudit } from './audit.ts'
import { deleteExpiredOperatorTokens } from './store.ts'

/**
 * Makes a restored database safe to serve: what was revoked or used up after the backup was made must not come back to life. Ends every
 * session and every operator's sign-in; returns how many sessions.
 */
export async function reviveNothing(runtime: Runtime): Promise<number> {
  let sessions = 0
  for (const { id } of await listAllApps(runtime.db))
    sessions += await revokeAppSessions(runtime, id, { reason: 'revoked_by_operator', by: 'restore of a backup' })
  const now = runtime.now()
  await runtime.db.transaction(async (tx) => {
    // No token expired before 1970, and every cookie was last used by now.
    await deleteExpiredOperatorTokens(tx, new Date(0), now)
    await recordAudit(tx, { at: now, actor: cliActor, action: 'database.restore', after: { sessionsEnded: sessions } })
  })
  return sessions
}
