import { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { wasErased } from '#server/session/session.ts'
import { CODE_TTL_S, locked } from '#server/signature/code.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { emailHash } from './findOrCreate.ts'
import { findLinkCode, saveLinkCode } from './linkStore.ts'

/** Wishes that a person may have in an hour, and that may concern one address of an app in a day, whoever asks. */
const PER_PERSON = 5
const PER_ORIGIN = 60
const PER_MAILBOX = 10

/**
 * Notes that a person wants to join the account with an e-mail address to theirs. It does the same whether there is such an account or not: nobody
 * looks before the answer is out (`mailLinkCode`). A new wish brings no new tries while the one before would still count.
 * @throws AppError locked after too many wrong codes, rate_limited, not_found
 */
export async function requestLink(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  email: string,
  origin: Origin,
): Promise<{ expiresIn: number }> {
  const { limits, vault } = runtime
  const hash = emailHash(vault, email)
  await limits.guess(`links from ${limitKey(origin.ip)}`, PER_ORIGIN, 3_600)
  await limits.guess(`links of user ${userId}`, PER_PERSON, 3_600)
  await limits.guess(`links to ${app.id} ${hash.toString('base64')}`, PER_MAILBOX, 86_400)
  const now = runtime.now()
  const work = runtime.db.transaction(async (tx) => {
    await tx.lock(`link of user ${userId}`)
    const before = await findLinkCode(tx, userId)
    refuseLinkLocked(before, now)
    await saveLinkCode(tx, {
      userId,
      emailHash: hash,
      resolvedAt: null,
      targetId: null,
      codeHash: null,
      tries: before && before.expiresAt > now ? before.tries : 0,
      expiresAt: new Date(now.getTime() + CODE_TTL_S * 1000),
      lockedUntil: null,
    })
  })
  await work.catch((error: unknown) => {
    if (wasErased(error)) throw new AppError('not_found', 'There is no such user')
    throw error
  })
  return { expiresIn: CODE_TTL_S }
}

/** @throws AppError locked */
export function refuseLinkLocked(row: { lockedUntil: Date | null } | undefined, now: Date): void {
  if (row?.lockedUntil && row.lockedUntil > now) throw linkLocked(row.lockedUntil, now)
}

export const linkLocked = (until: Date, now: Date): AppError =>
  locked(until, now, 'Too many wrong codes; try again later')

/** What a person's link codes are bound to (signature/code.ts). */
export const linkCodeOf = (userId: number): string => `link_account ${userId}`
