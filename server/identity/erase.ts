import { appIn } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { recordEvent } from '#server/event/record.ts'
import { deleteEventsOfUser } from '#server/event/store.ts'
import { subjectOf } from '#server/event/subject.ts'
import { addToLedger } from '#server/personal/ledger.ts'
import { forgetKeys, KeyDestroyed } from '#server/personal/seal.ts'
import { insertErased } from '#server/personal/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { keepErasedSessions } from '#server/token/store.ts'
import { deleteUser, findUser } from './store.ts'

/**
 * Erases a person: sessions, tokens, identities, profiles, keys, what was told of them and the user go in one transaction (with whatever `also` writes), so
 * that no call after it finds any of them. The app is told, so that it can do the same. Numbers are never given twice, so nothing old attaches to an account
 * that the same person makes later. Who it was is written down by number, for the case that a backup brings them back. False when there was nobody.
 */
export async function eraseUser(
  runtime: Runtime,
  userId: number,
  also?: (tx: Transaction) => Promise<void>,
): Promise<boolean> {
  const row = await runtime.db.transaction(async (tx) => {
    await tx.lock(`sessions of user ${userId}`)
    const user = await findUser(tx, userId)
    if (!user) return undefined
    const now = runtime.now()
    const app = await appIn(runtime, tx, user.appId)
    const subject = app && (await calledBefore(runtime, tx, userId))
    await deleteEventsOfUser(tx, userId)
    await keepErasedSessions(tx, userId, now)
    if (!(await deleteUser(tx, userId))) return undefined
    const row = { id: userId, createdAt: user.createdAt, erasedAt: now }
    await insertErased(tx, row)
    await also?.(tx)
    if (app) {
      const content = { userId: runtime.vault.ids.seal('usr', userId), erasedAt: now.toISOString() }
      await recordEvent(runtime, tx, { app, type: 'user.erased', user: subject, content })
    }
    return row
  })
  if (!row) return false
  forgetKeys(runtime)
  addToLedger(runtime, row)
  return true
}

/** What the app calls somebody; whose key is gone already (a backup that was kept without keys) is called by our id. */
function calledBefore(runtime: Runtime, tx: Transaction, userId: number): Promise<string> {
  return subjectOf(runtime, tx, userId).catch((error: unknown) => {
    if (error instanceof KeyDestroyed) return runtime.vault.ids.seal('usr', userId)
    throw error
  })
}
