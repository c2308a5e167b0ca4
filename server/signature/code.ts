import { randomInt, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import { AppError } from '#server/error.ts'
import type { Vault } from '#server/secret/vault.ts'

/** Wrong tries that end a code. */
export const CODE_TRIES = 5
export const CODE_TTL_S = 600
/** How long nobody may try again after that. */
export const CODE_LOCKED_S = 3_600

/** A code as people type it: six digits, perhaps in two groups. */
export const codeText = z
  .string()
  .max(16)
  .transform((text) => text.replace(/[\s-]/g, ''))
  .refine((text) => /^\d{6}$/.test(text), { message: 'must be the 6 digits of the mail' })

/** Six digits, each of the million as likely as any other. */
export const newCode = (): string => String(randomInt(1_000_000)).padStart(6, '0')

/** What is kept of a code: nothing that can be tried without the installation's key. `of` binds it to one person and one purpose. */
export const hashCode = (vault: Vault, of: string, code: string): Buffer => vault.hash(code, `codes ${of}`)

const NOTHING = Buffer.alloc(32)

/** Whether a code is the one that was kept, in the same time wherever they differ, and when none was kept. */
export function isCode(vault: Vault, of: string, code: string, kept: Buffer | null): boolean {
  const same = timingSafeEqual(hashCode(vault, of, code), kept ?? NOTHING)
  return same && kept !== null
}

/** A wrong, used, replaced and expired code, and one that never was, are the same to whoever tries. */
export const codeInvalid = (triesLeft = 0): AppError =>
  new AppError('code_invalid', 'The code is wrong or no longer valid; look at the newest mail, or ask for a new code', {
    details: { triesLeft },
  })

export const locked = (until: Date, now: Date, message: string): AppError =>
  new AppError('locked', message, { retryAfter: Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000)) })
