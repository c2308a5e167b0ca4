/** What a person may show of themselves in their profile; kept encrypted, and only as much as the login brought. */
export type Profile = {
  name?: string
  username?: string
  email?: string
  /** Whether a login or a mailed code proved the address; false for one the person merely wrote down, absent where an app's server said nothing (vouched.ts). */
  emailVerified?: boolean
  language?: string
  photoUrl?: string
}

/** A checked proof of who somebody is: the outcome of every way to sign in. */
export type Proof = {
  kind: 'telegram' | 'ton' | 'sso'
  /** Telegram id, raw TON address, or the `sub` of the app's token-info URL. */
  subject: string
  profile: Profile
  /** What only this kind of identity has, such as the wallet's version. */
  details?: Record<string, string | boolean>
  /** The wallet's Ed25519 key, 32 bytes. */
  publicKey?: Buffer
  /** The identity that the key and the details were taken from, where there is one: what it says need not be made out and compared again. */
  known?: { subjectHash: Buffer; detailsHash: string | null }
}
