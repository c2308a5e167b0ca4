import type { App } from '#server/app/app.ts'
import { openProfile } from '#server/identity/findOrCreate.ts'
import type { UserRow } from '#server/identity/store.ts'
import { isVouched } from '#server/identity/vouched.ts'
import type { Vault } from '#server/secret/vault.ts'
import type { SignatureRow } from './store.ts'

export type Contact = { email: string; verified: boolean; locale: string | undefined; name: string | undefined }

/**
 * Where mails about a person's signature go: the address that a login vouches for, or else the one that was theirs when the signature was set. One that
 * was written down later counts only once the signature was shown for it (`verify` with `useEmail`): whoever steals a session may write down
 * their own, and a code sent there would be theirs. While no signature is set there is nothing to steal, and any address serves.
 */
export function contactOf(vault: Vault, app: App, user: UserRow, row: SignatureRow | undefined): Contact | undefined {
  const profile = openProfile(vault, user.profileSealed)
  const verified = isVouched(app, profile)
  if (profile.email !== undefined && (verified || row?.secret == null))
    return { ...addressee(vault, user, profile.email), verified }
  return row?.secret != null && row.emailSealed ? addressee(vault, user, openEmail(vault, row.emailSealed)) : undefined
}

/** A person at an address. */
export function addressee(vault: Vault, user: UserRow, email: string): Contact {
  const { language, name } = openProfile(vault, user.profileSealed)
  return { email, verified: false, locale: language, name }
}

/** The address in a person's profile as it is kept with their signature. */
export const sealOwnEmail = (vault: Vault, user: UserRow): Buffer | null =>
  sealEmail(vault, openProfile(vault, user.profileSealed).email)

export const sealEmail = (vault: Vault, email: string | undefined): Buffer | null =>
  email === undefined ? null : vault.seal(email, 'signatures.email')

export const openEmail = (vault: Vault, sealed: Buffer): string => vault.open(sealed, 'signatures.email')
