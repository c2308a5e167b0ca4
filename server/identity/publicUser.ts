import { moment } from '#server/http/moment.ts'
import type { Runtime } from '#server/runtime.ts'
import { openProfile } from './findOrCreate.ts'
import type { Profile } from './proof.ts'
import { findUser } from './store.ts'

const MOST_PROFILES = 10_000
const profiles = new WeakMap<Runtime, Map<number, { mark: string; profile: Profile }>>()

/** A user as a session's lookup tells of them. */
export type SeenUser = { userId: number; createdAt: Date; profileMark: string | null }

/** The user as the public API answers it; the encrypted profile is read and opened only when it is not the one that was opened last. */
export async function publicUser(runtime: Runtime, seen: SeenUser) {
  return userView(runtime, seen, seen.profileMark ? await profileOf(runtime, seen.userId, seen.profileMark) : {})
}

export function userView(runtime: Runtime, user: { userId: number; createdAt: Date }, profile: Profile) {
  return {
    id: runtime.vault.ids.seal('usr', user.userId),
    createdAt: moment(user.createdAt),
    ...profile,
  }
}

async function profileOf(runtime: Runtime, userId: number, mark: string): Promise<Profile> {
  let opened = profiles.get(runtime)
  if (!opened) profiles.set(runtime, (opened = new Map<number, { mark: string; profile: Profile }>()))
  const known = opened.get(userId)
  if (known?.mark === mark) return known.profile
  const user = await findUser(runtime.db, userId)
  const profile = await openProfile(runtime, runtime.db, user?.profileSealed ?? null)
  if (opened.size >= MOST_PROFILES) opened.clear()
  // Changed between the two reads: then the mark is not of this profile, and the next call reads again.
  opened.set(userId, { mark, profile })
  return profile
}
