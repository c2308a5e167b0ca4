import type { Vault } from '#server/secret/vault.ts'
import { openProfile } from './findOrCreate.ts'

/** How a person is called in the console: @username, name, e-mail, or what they signed in with, shortened in the middle. */
export function userLabel(vault: Vault, profileSealed: Buffer | null, subjectSealed: Buffer | null): string {
  const profile = openProfile(vault, profileSealed)
  if (profile.username) return `@${profile.username}`
  if (profile.name) return profile.name
  if (profile.email) return profile.email
  if (!subjectSealed) return 'unknown'
  const subject = vault.open(subjectSealed, 'identities.subject')
  return subject.length > 24 ? `${subject.slice(0, 10)}…${subject.slice(-6)}` : subject
}
