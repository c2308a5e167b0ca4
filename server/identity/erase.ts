import { appIn } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { recordEvent } from '#server/event/record.ts'
import { deleteEventsOfUser } from '#server/event/store.ts'
import { subjectOf } from '#server/event/subject.ts'
import type { Runtime } from '#server/runtime.ts'
import { keepErasedSessions } from '#server/token/store.ts'
import { deleteUser, findUser } from './store.ts'

/**
 * Erases a person: sessions, tokens, identities, profiles, what was told of them and the user go in one transaction (with whatever `also` writes), so that
 * no call after it finds any of them. The app is told, so that it can do the same. Numbers are never given twice, so nothing old attaches to an account that the same person makes later. False when there was nobody.
 */
export function eraseUser(
  runtime: Runtime,
  userId: number,
  also?: (tx: Transaction) => Promise<void>,
): Promise<boolean> {
  return runtime.db.transaction(async (tx) => {
    await tx.lock(`sessions of user ${userId}`)
    const user = await findUser(tx, userId)
    if (!user) return false
    const app = await appIn(runtime, tx, user.appId)
    const subject = app && (await subjectOf(runtime, tx, userId))
    await deleteEventsOfUser(tx, userId)
    await keepErasedSessions(tx, userId, runtime.now())
    const erased = await deleteUser(tx, userId)
    if (!erased) return false
    await also?.(tx)
    if (app) {
      const erasedAt = runtime.now().toISOString()
      const content = { userId: runtime.vault.ids.seal('usr', userId), erasedAt }
      await recordEvent(runtime, tx, { app, type: 'user.erased', user: subject, content })
    }
    return true
  })
}
