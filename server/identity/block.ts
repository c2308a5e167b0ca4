import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { endUserSessions } from '#server/session/revoke.ts'
import { deleteUserBlocks, findUser, updateUser } from './store.ts'

/** Blocks a user: all sessions end in the same transaction, and no sign-in succeeds until `unblockUser`. @throws AppError not_found */
export function blockUser(
  runtime: Runtime,
  actor: Actor,
  id: number,
  reason: string | null,
): Promise<{ ended: number }> {
  const now = runtime.now()
  return runtime.db.transaction(async (tx) => {
    const user = await updateUser(tx, id, { blockedAt: now, blockedReason: reason })
    if (!user) throw new AppError('not_found', 'There is no such user')
    // The latest block is the one that holds; an earlier one that runs out must not lift it.
    await deleteUserBlocks(tx, id)
    const ended = await endUserSessions(runtime, tx, id, { reason: 'user_blocked', by: actor.label, at: now })
    await recordAudit(tx, {
      at: now,
      actor,
      action: 'user.block',
      appId: user.appId,
      target: { kind: 'user', id },
      before: { blocked: false },
      after: { blocked: true, reason, endedSessions: ended },
    })
    return { ended }
  })
}

/** @throws AppError not_found */
export function unblockUser(runtime: Runtime, actor: Actor, id: number): Promise<void> {
  return runtime.db.transaction(async (tx) => {
    const before = await findUser(tx, id)
    if (!before) throw new AppError('not_found', 'There is no such user')
    await updateUser(tx, id, { blockedAt: null, blockedReason: null })
    await deleteUserBlocks(tx, id)
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'user.unblock',
      appId: before.appId,
      target: { kind: 'user', id },
      before: { blocked: before.blockedAt !== null, reason: before.blockedReason },
      after: { blocked: false },
    })
  })
}
