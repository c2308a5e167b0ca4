import type { App } from '#server/app/app.ts'
import { openProfile } from '#server/identity/findOrCreate.ts'
import type { UserRow } from '#server/identity/store.ts'
import { isVouched } from '#server/identity/vouched.ts'
import type { Reader } from '#server/db/database.ts'
import { openPersonal, sealFor, type Keeper } from '#server/personal/seal.ts'
import type { SignatureRow } from './store.ts'

export type Contact = { email: string; verified: boolean; locale: string | undefined; name: string | undefined }

/**
 * Where mails about a person's signature go: the address that a login vouches for, or else the one that was theirs when the signature was set. One that
 * was written down later counts only once the signature was shown for it (`verify` with `useEmail`): whoever steals a session may write down
 * their own, and a code sent there would be theirs. While no signature is set there is nothing to steal, and any address serves.
 */
export async function contactOf(
  keeper: Keeper,
  db: Reader,
  app: App,
  user: UserRow,
  row: SignatureRow | undefined,
): Promise<Contact | undefined> {
  const profile = await openProfile(keeper, db, user.profileSealed)
  const verified = isVouched(app, profile)
  if (profile.email !== undefined && (verified || row?.secret == null))
    return { ...(await addressee(keeper, db, user, profile.email)), verified }
  if (row?.secret == null || !row.emailSealed) return undefined
  return addressee(keeper, db, user, await openEmail(keeper, db, row.emailSealed))
}

/** A person at an address. */
export async function addressee(keeper: Keeper, db: Reader, user: UserRow, email: string): Promise<Contact> {
  const { language, name } = await openProfile(keeper, db, user.profileSealed)
  return { email, verified: false, locale: language, name }
}

/** The address in a person's profile as it is kept with their signature. */
export const sealOwnEmail = async (keeper: Keeper, db: Reader, user: UserRow): Promise<Buffer | null> =>
  sealEmail(keeper, db, user.id, (await openProfile(keeper, db, user.profileSealed)).email)

export const sealEmail = async (
  keeper: Keeper,
  db: Reader,
  userId: number,
  email: string | undefined,
): Promise<Buffer | null> => (email === undefined ? null : sealFor(keeper, db, userId, email, 'signatures.email'))

export const openEmail = (keeper: Keeper, db: Reader, sealed: Buffer): Promise<string> =>
  openPersonal(keeper, db, sealed, 'signatures.email')
