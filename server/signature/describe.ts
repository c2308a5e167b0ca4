import { appIn } from '#server/app/app.ts'
import { findUser } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { contactOf } from './contact.ts'
import { openQuestions } from './questions.ts'
import { findSignature } from './store.ts'

/** What may be told of a person's signature: never the secret or an answer. Moments are ISO 8601. */
export type SignatureState = {
  set: boolean
  changedAt: string | null
  /** Where mails about it go; null when there is no address to trust. */
  email: string | null
  recoveryQuestions: string[]
  /** Until when no signature is taken, after too many wrong ones. */
  lockedUntil: string | null
  /** Until when no code is sent or taken, after too many wrong ones. */
  resetLockedUntil: string | null
}

export async function describeSignature(runtime: Runtime, userId: number): Promise<SignatureState> {
  const [user, row] = [await findUser(runtime.db, userId), await findSignature(runtime.db, userId)]
  const app = user && (await appIn(runtime, runtime.db, user.appId))
  const ahead = (at: Date | null | undefined) => (at && at > runtime.now() ? at.toISOString() : null)
  return {
    set: row?.secret != null,
    changedAt: row?.changedAt?.toISOString() ?? null,
    email: (app && (await contactOf(runtime, runtime.db, app, user, row))?.email) ?? null,
    recoveryQuestions: await openQuestions(runtime, runtime.db, row?.questionsSealed ?? null),
    lockedUntil: ahead(row?.lockedUntil),
    resetLockedUntil: ahead(row?.resetLockedUntil),
  }
}
