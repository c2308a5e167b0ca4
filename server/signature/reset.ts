import { randomBytes } from 'node:crypto'
import { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import { emailHash } from '#server/identity/findOrCreate.ts'
import { findUser } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { CODE_TTL_S, hashCode, locked, newCode } from './code.ts'
import { contactOf, sealEmail } from './contact.ts'
import { findCode, findSignature, saveCode } from './store.ts'
import { tellByMail } from './tell.ts'

/** Codes that a person may ask for in an hour, and mails that an address gets in a day, whoever asks for them. */
const PER_PERSON = 5
const PER_ORIGIN = 60
const PER_MAILBOX = 10

/** What a person's codes are bound to (code.ts). */
export const resetCodeOf = (userId: number): string => `reset_signature ${userId}`

/**
 * Mails a code with which the signature can be set anew, in the place of the one before. The answer is the same where there is no address to mail it to. A
 * new code brings no new tries while the one before would still count.
 * @throws AppError locked after too many wrong codes, rate_limited, not_found
 */
export async function requestReset(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  origin: Origin,
): Promise<{ expiresIn: number }> {
  const { vault, limits } = runtime
  await limits.guess(`signature resets from ${limitKey(origin.ip)}`, PER_ORIGIN, 3_600)
  await limits.guess(`signature resets of user ${userId}`, PER_PERSON, 3_600)
  const [user, row] = [await findUser(runtime.db, userId), await findSignature(runtime.db, userId)]
  const to = user && (await contactOf(runtime, runtime.db, app, user, row))
  // Counted apart, so that nobody uses up the mails of an address by writing it into their own profile.
  if (to) {
    const kind = to.verified ? 'verified' : 'unverified'
    await limits.guess(`codes to ${kind} ${emailHash(vault, to.email).toString('base64')}`, PER_MAILBOX, 86_400)
  }
  const code = newCode()
  const now = runtime.now()
  await runtime.db.transaction(async (tx) => {
    await tx.lock(`signature of user ${userId}`)
    const user = await findUser(tx, userId)
    if (!user) throw new AppError('not_found', 'There is no such user')
    const row = await findSignature(tx, userId)
    refuseResetLocked(row, now)
    const to = await contactOf(runtime, tx, app, user, row)
    const before = await findCode(tx, userId)
    const expiresAt = new Date(now.getTime() + CODE_TTL_S * 1000)
    await saveCode(tx, {
      userId,
      // A code that nobody was sent is no code.
      codeHash: to ? hashCode(vault, resetCodeOf(userId), code) : randomBytes(32),
      emailSealed: await sealEmail(runtime, tx, userId, to?.email),
      tries: before && before.expiresAt > now ? before.tries : 0,
      expiresAt,
    })
    const told = { app, userId, to, origin }
    await tellByMail(runtime, tx, 'verification_code_reset_signature', told, { code, expiresAt })
  })
  return { expiresIn: CODE_TTL_S }
}

/** @throws AppError locked */
export function refuseResetLocked(row: { resetLockedUntil: Date | null } | undefined, now: Date): void {
  if (row?.resetLockedUntil && row.resetLockedUntil > now) throw resetLocked(row.resetLockedUntil, now)
}

export const resetLocked = (until: Date, now: Date): AppError =>
  locked(until, now, 'Too many wrong codes: the reset was ended and all sessions with it; try again later')
