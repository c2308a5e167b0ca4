import * as z from 'zod'
import { hashPassword, verifyPassword } from '#server/operator/password.ts'
import type { Vault } from '#server/secret/vault.ts'

/** A signature as it comes in: a PIN or a passphrase. */
export const signatureText = z.string().min(1).max(256)

/** A signature to be set. Four characters are little, but five tries in a row are all that anybody has. */
export const newSignature = z
  .string()
  .min(4, 'must have at least 4 characters')
  .max(256, 'must have at most 256 characters')
  .refine((text) => new Set(text).size > 1, 'must not be the same character over and over')

/** A signature as stored. */
export const hashSignature = (vault: Vault, signature: string): Promise<string> =>
  hashPassword(keyed(vault, signature, 'signatures.secret'))

/** Whether a signature is the one that was stored; takes as long when nothing is. */
export const matchesSignature = (vault: Vault, signature: string, stored: string | null): Promise<boolean> =>
  verifyPassword(keyed(vault, signature, 'signatures.secret'), stored ?? undefined)

/**
 * A short secret under the installation's key. argon2id alone would let a thief of the database try every PIN of six digits within a day; without the
 * key there is nothing to try.
 */
export const keyed = (vault: Vault, text: string, purpose: string): string =>
  vault.hash(text.normalize('NFKC'), purpose).toString('base64')
