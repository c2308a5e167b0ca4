import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { deleteUser } from './store.ts'

/**
 * Erases a person: sessions, tokens, identities, profiles and the user go in one transaction (with whatever `also` writes), so that no call after it finds
 * any of them. Numbers are never given twice, so nothing old attaches to an account that the same person makes later. False when there was nobody.
 */
export function eraseUser(
  runtime: Runtime,
  userId: number,
  also?: (tx: Transaction) => Promise<void>,
): Promise<boolean> {
  return runtime.db.transaction(async (tx) => {
    await tx.lock(`sessions of user ${userId}`)
    const erased = await deleteUser(tx, userId)
    if (erased) await also?.(tx)
    return erased
  })
}
