import type { Runtime } from '#server/runtime.ts'
import { openProfile, openSubject } from './findOrCreate.ts'
import { shownAddress } from './shownAddress.ts'

/** How a person is called in the console: @username, name, e-mail, or what they signed in with, as wallets show it and shortened in the middle. */
export async function userLabel(
  runtime: Runtime,
  appId: number,
  profileSealed: Buffer | null,
  subjectSealed: Buffer | null,
): Promise<string> {
  const { db } = runtime
  const profile = await openProfile(runtime, db, profileSealed)
  if (profile.username) return `@${profile.username}`
  if (profile.name) return profile.name
  if (profile.email) return profile.email
  if (!subjectSealed) return 'unknown'
  const raw = await openSubject(runtime, db, subjectSealed)
  const subject = /^-?\d+:[0-9a-f]{64}$/.test(raw) ? await shownAddress(runtime, appId, raw) : raw
  return subject.length > 24 ? `${subject.slice(0, 10)}…${subject.slice(-6)}` : subject
}
