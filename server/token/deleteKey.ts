import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { liveTokens, type LiveTokens } from './liveTokens.ts'
import { deleteKey as removeKey, listKeys } from './store.ts'

/**
 * Forgets a retired key before its time: every token it signed is refused from the next call on, here at once and in other processes within some seconds.
 * Sessions live on and get new tokens by refresh.
 * @returns the tokens that stopped working
 * @throws AppError not_found, conflict for a key that is in use
 */
export async function deleteKey(runtime: Runtime, actor: Actor, kid: string): Promise<LiveTokens> {
  const keys = await listKeys(runtime.db)
  const live = (await liveTokens(runtime, keys)).get(kid)
  await runtime.db.transaction(async (tx) => {
    await tx.lock('signing keys')
    const key = (await listKeys(tx)).find((row) => row.kid === kid)
    if (!key) throw new AppError('not_found', 'There is no such key')
    if (key.state !== 'retired')
      throw new AppError('conflict', 'Only a retired key can be deleted; rotate the keys first, and then delete it')
    await removeKey(tx, key.id)
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'key.delete',
      before: { kid, retiredAt: key.retiredAt?.toISOString() ?? null, liveTokens: live?.count ?? 0 },
    })
  })
  await runtime.keys.reload()
  return live ?? { count: 0, capped: false, lastExpiresAt: null }
}
