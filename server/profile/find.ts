import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { handleKey, openProfile, type Profile } from './profile.ts'
import { findByHandle, listByOwner } from './store.ts'

/** Profiles listed at the most; nobody has this many by hand. */
const MOST_LISTED = 100

/** The profile with this handle, in any case. */
export async function findProfile(runtime: Runtime, app: App, handle: string): Promise<Profile | undefined> {
  const row = await findByHandle(runtime.db, app.id, handleKey(handle))
  return row && openProfile(runtime, runtime.db, row)
}

/** The profiles that an address owns, oldest first. */
export async function listProfiles(runtime: Runtime, app: App, address: string): Promise<Profile[]> {
  const rows = await listByOwner(runtime.db, app.id, address, MOST_LISTED)
  return Promise.all(rows.map((row) => openProfile(runtime, runtime.db, row)))
}
