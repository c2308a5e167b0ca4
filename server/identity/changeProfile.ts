import * as z from 'zod'
import type { Transaction } from '#server/db/database.ts'
import { parseAddress } from '#server/email/address.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { openProfile, sealProfile } from './findOrCreate.ts'
import type { Profile } from './proof.ts'
import { findUser, updateUser, type UserRow } from './store.ts'

/** What a person may say of themselves; null removes it. What Telegram or the app vouches for (username, picture) is not theirs to change. */
export const profileChange = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .regex(/^\P{Cc}*$/u, { message: 'must be one line without control characters' })
      .nullable(),
    email: z
      .email()
      .max(254)
      .refine((text) => parseAddress(text) !== undefined, { message: 'must be an address that mail can go to' })
      .nullable(),
    language: z
      .string()
      .max(35)
      .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/, { message: 'must be a language tag such as en or pt-BR' })
      .nullable(),
  })
  .partial()
export type ProfileChange = z.infer<typeof profileChange>

/**
 * Changes what a person says of themselves, with whatever `also` writes. An e-mail address given here counts as unverified.
 * @throws AppError not_found
 */
export function changeProfile(
  runtime: Runtime,
  userId: number,
  change: ProfileChange,
  also?: (tx: Transaction) => Promise<void>,
): Promise<UserRow> {
  return runtime.db.transaction(async (tx) => {
    await tx.lock(`profile of user ${userId}`)
    const user = await findUser(tx, userId)
    const before = await openProfile(runtime, tx, user?.profileSealed ?? null)
    const changed = await updateUser(tx, userId, await sealProfile(runtime, tx, userId, apply(before, change)))
    if (!changed) throw new AppError('not_found', 'There is no such user')
    await also?.(tx)
    return changed
  })
}

function apply(before: Profile, change: ProfileChange): Profile {
  const after: Record<string, unknown> = { ...before }
  for (const [field, value] of Object.entries(change)) {
    if (value === null) delete after[field]
    else if (value !== undefined) after[field] = value
  }
  if (after['email'] === undefined) delete after['emailVerified']
  else if (after['email'] !== before.email) after['emailVerified'] = false
  return after
}
