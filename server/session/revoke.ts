import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import type { EndReason } from './session.ts'
import { endSession, endSessions, findSessionRow, ofApp, ofUser, openedBy, otherThan, type Condition } from './store.ts'
import { tellAllEnded } from './tell.ts'

/** Rows a transaction ends at the most, so that a million sessions do not hold the writer for seconds. */
const CHUNK = 2_000

export type End = { reason: EndReason; by?: string | undefined }

/** Ends one session at once, with whatever `also` writes; false when it was over already. Effective on the next call anywhere. */
export async function revokeSession(
  runtime: Runtime,
  id: number,
  end: End,
  also?: (tx: Transaction) => Promise<void>,
): Promise<boolean> {
  const at = runtime.now()
  return runtime.db.transaction(async (tx) => {
    const session = await findSessionRow(tx, id)
    await also?.(tx)
    if (!session) return false
    await runtime.activity.writeUse(tx, session)
    if (!(await endSession(tx, id, { ...end, at }))) return false
    await tellAllEnded(runtime, tx, [session], { reason: end.reason, at })
    return true
  })
}

/** Ends all live sessions of a user inside the caller's transaction; returns how many. */
export async function endUserSessions(
  runtime: Runtime,
  tx: Transaction,
  userId: number,
  end: End & { at: Date },
): Promise<number> {
  let ended = 0
  for (;;) {
    const rows = await endSessions(tx, [ofUser(userId)], end, CHUNK)
    await tellAllEnded(runtime, tx, rows, end)
    ended += rows.length
    if (rows.length < CHUNK) return ended
  }
}

/** Ends the sessions that one of a user's identities opened, but for the one that asks, inside the caller's transaction. */
export async function endIdentitySessions(
  runtime: Runtime,
  tx: Transaction,
  whose: { userId: number; identityId: number; except: number },
  end: End & { at: Date },
): Promise<void> {
  const where = [ofUser(whose.userId), openedBy(whose.identityId), otherThan(whose.except)]
  await tellAllEnded(runtime, tx, await endSessions(tx, where, end, CHUNK), end)
}

/** Ends all live sessions of a user; returns how many. */
export function revokeUserSessions(runtime: Runtime, userId: number, end: End): Promise<number> {
  const at = runtime.now()
  return runtime.db.transaction((tx) => endUserSessions(runtime, tx, userId, { ...end, at }))
}

/** Ends all live sessions of an app; returns how many. */
export function revokeAppSessions(runtime: Runtime, appId: number, end: End): Promise<number> {
  return revokeMany(runtime, [ofApp(appId)], end)
}

/**
 * Ends all live sessions that meet every condition, some thousands a transaction, each with whatever `also` writes about so many; returns how many.
 * `also` is told at least once, if only of none.
 */
export async function revokeMany(
  runtime: Runtime,
  where: Condition[],
  end: End,
  also?: (tx: Transaction, ended: number) => Promise<void>,
): Promise<number> {
  const at = runtime.now()
  let ended = 0
  for (;;) {
    const rows = await runtime.db.transaction(async (tx) => {
      const chunk = await endSessions(tx, where, { ...end, at }, CHUNK)
      await tellAllEnded(runtime, tx, chunk, { reason: end.reason, at })
      if (chunk.length > 0 || ended === 0) await also?.(tx, chunk.length)
      return chunk
    })
    ended += rows.length
    if (rows.length < CHUNK) return ended
  }
}
