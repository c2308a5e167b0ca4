import { AppError } from '#server/error.ts'
import { blockUser, unblockUser } from '#server/identity/block.ts'
import { findUser } from '#server/identity/store.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { deleteBlock, deleteSame, findBlock, insertBlock, moveVersion, type BlockRow } from './store.ts'
import { readTarget, type Target } from './target.ts'

export type NewBlock = Target & {
  reason: string
  expiresAt?: Date | undefined
}

/**
 * Keeps somebody out, or always lets somebody in: effective on the next call. Blocking a user ends their sessions. Where the same was said before, this takes
 * its place, so that lifting it lifts it.
 * @throws AppError invalid_request, not_found
 */
export async function createBlock(runtime: Runtime, actor: Actor, input: NewBlock): Promise<BlockRow> {
  const now = runtime.now()
  const value = readTarget(input)
  if (input.expiresAt && input.expiresAt <= now) throw invalid('expiresAt', 'lies in the past')
  const user = input.userId === undefined ? undefined : await findUser(runtime.db, input.userId)
  if (input.kind === 'user' && !user) throw new AppError('not_found', 'There is no such user')
  if (user && input.appId !== undefined && input.appId !== user.appId)
    throw invalid('appId', 'is not the app of the user')
  // What the watch has just decided must be in the table before it can be replaced.
  await runtime.traffic.flush()
  // Also ends the sessions; the list then says until when.
  if (input.kind === 'user' && input.effect === 'block') await blockUser(runtime, actor, user!.id, input.reason || null)
  const row = await runtime.db.transaction(async (tx) => {
    const same = { effect: input.effect, kind: input.kind, value, appId: user?.appId ?? input.appId ?? null }
    await tx.lock(`block ${JSON.stringify(same)}`)
    const [replaced] = input.kind === 'user' ? [] : await deleteSame(tx, same)
    const row = await insertBlock(tx, {
      ...same,
      userId: user?.id ?? null,
      reason: input.reason,
      author: actor.label,
      automatic: false,
      createdAt: now,
      expiresAt: input.expiresAt ?? null,
    })
    await moveVersion(tx, `${row.id} ${now.getTime()}`)
    await recordAudit(tx, {
      at: now,
      actor,
      action: `${input.effect}.create`,
      ...(row.appId !== null && { appId: row.appId }),
      target: { kind: 'block', id: row.id, ...(value !== null && { label: value }) },
      ...(replaced && {
        before: { reason: replaced.reason, expiresAt: replaced.expiresAt?.toISOString() ?? null },
      }),
      after: { kind: row.kind, value, reason: row.reason, expiresAt: row.expiresAt?.toISOString() ?? null },
    })
    return row
  })
  await runtime.traffic.reload()
  return row
}

/** Lifts a block, or takes an allowance back. @throws AppError not_found */
export async function removeBlock(runtime: Runtime, actor: Actor, id: number): Promise<void> {
  const now = runtime.now()
  // What the watch has just decided must be in the table before it can be lifted.
  await runtime.traffic.flush()
  const found = await findBlock(runtime.db, id)
  if (!found) throw new AppError('not_found', 'There is no such block')
  await runtime.db.transaction(async (tx) => {
    const row = await deleteBlock(tx, id)
    if (!row) throw new AppError('not_found', 'There is no such block')
    await moveVersion(tx, `-${row.id} ${now.getTime()}`)
    await recordAudit(tx, {
      at: now,
      actor,
      action: `${row.effect}.delete`,
      ...(row.appId !== null && { appId: row.appId }),
      target: { kind: 'block', id: row.id, ...(row.value !== null && { label: row.value }) },
      before: { kind: row.kind, value: row.value, reason: row.reason },
    })
  })
  if (found.kind === 'user' && found.userId !== null && found.effect === 'block')
    await unblockUser(runtime, actor, found.userId)
  await runtime.traffic.reload()
}

const invalid = (path: string, message: string) =>
  new AppError('invalid_request', 'The input does not fit; see errors', { errors: [{ path, message }] })
