import { moment } from '#server/http/moment.ts'
import type { Runtime } from '#server/runtime.ts'
import { profileOf } from './profileOf.ts'
import type { Profile } from './proof.ts'

/** A user as a session's lookup tells of them. */
export type SeenUser = { userId: number; createdAt: Date; profileMark: string | null }

/** The user as the public API answers it. */
export async function publicUser(runtime: Runtime, seen: SeenUser) {
  return userView(runtime, seen, await profileOf(runtime, runtime.db, seen))
}

export function userView(runtime: Runtime, user: { userId: number; createdAt: Date }, profile: Profile) {
  return {
    id: runtime.vault.ids.seal('usr', user.userId),
    createdAt: moment(user.createdAt),
    ...profile,
  }
}
