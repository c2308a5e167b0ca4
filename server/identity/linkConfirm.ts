import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { CODE_LOCKED_S, CODE_TRIES, codeInvalid, codeText, isCode } from '#server/signature/code.ts'
import { compare, judge, type Compared } from '#server/signature/judge.ts'
import { signatureText } from '#server/signature/secret.ts'
import { findSignature } from '#server/signature/store.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { absorbUser } from './absorb.ts'
import { openProfile } from './findOrCreate.ts'
import { linkCodeOf, linkLocked, refuseLinkLocked } from './link.ts'
import { changeLinkCode, findLinkCode, type LinkCodeRow } from './linkStore.ts'
import type { Profile } from './proof.ts'
import { findUser, type UserRow } from './store.ts'
import { isVouched } from './vouched.ts'

export const linkConfirmation = z.strictObject({
  code: codeText,
  /** The signature of the account that asks, and of the one that it asks for, where they have one. */
  signature: signatureText.optional(),
  otherSignature: signatureText.optional(),
})

const MOST_TRIES = 300

export type Linked = { user: UserRow; profile: Profile; absorbed: number }

/**
 * Joins the account that the mailed code was for to the person's own. An account that has a signature is joined only by who knows it: a stolen session
 * must not let a stranger's account in, nor a stolen mailbox give one away. Five wrong codes end it for an hour.
 * @throws AppError code_invalid, locked, rate_limited, invalid_request without a signature that is needed, signature_wrong, conflict, session_revoked
 */
export async function confirmLink(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  input: z.infer<typeof linkConfirmation>,
  origin: Origin,
): Promise<Linked> {
  const { db } = runtime
  await runtime.limits.guess(`link code of user ${userId}`, MOST_TRIES, 600)
  // Junk without a code under way costs no hash.
  const seen = await findLinkCode(db, userId)
  refuseLinkLocked(seen, runtime.now())
  if (!isLive(seen, runtime.now())) throw codeInvalid()
  const own = await shown(runtime, userId, 'signature', input.signature)
  // The code is never compared but under its lock, where a wrong one counts: only whoever has the right one learns whether a signature is needed.
  const target = await db.transaction(async (tx) => {
    await tx.lock(`link of user ${userId}`)
    return proveCode(runtime, tx, userId, input.code)
  })
  if (target instanceof AppError) throw target
  const others = await shown(runtime, target.targetId!, 'otherSignature', input.otherSignature)

  const now = runtime.now()
  const outcome = await db.transaction(async (tx) => {
    // In one order everywhere, so that two people who join each other wait instead of blocking.
    for (const id of [userId, target.targetId!].sort((a, b) => a - b)) await tx.lock(`sessions of user ${id}`)
    await tx.lock(`link of user ${userId}`)
    const into = await findUser(tx, userId)
    if (!into)
      throw new AppError('session_revoked', 'This account no longer exists', { details: { reason: 'user_erased' } })
    const row = await proveCode(runtime, tx, userId, input.code)
    if (row instanceof AppError) return row
    const from = target.targetId === row.targetId ? await usable(runtime, tx, app, into, row) : undefined
    if (!from) throw codeInvalid()
    const refusal = (await judged(tx, userId, own, now)) ?? (await judged(tx, from.id, others, now))
    if (refusal) return refusal
    await changeLinkCode(tx, userId, { expiresAt: now })
    const profile = await absorbUser(runtime, tx, { app, into, from, origin, now })
    return { user: into, profile, absorbed: from.id }
  })
  if (outcome instanceof AppError) throw outcome
  return outcome
}

/** The wish that a code is for, or the refusal of a wrong one, which counts. The caller holds the lock. @throws AppError code_invalid, locked */
async function proveCode(
  runtime: Runtime,
  tx: Transaction,
  userId: number,
  code: string,
): Promise<LinkCodeRow | AppError> {
  const now = runtime.now()
  const row = await findLinkCode(tx, userId)
  refuseLinkLocked(row, now)
  if (!isLive(row, now)) throw codeInvalid()
  return isCode(runtime.vault, linkCodeOf(userId), code, row.codeHash) ? row : countTry(tx, row, now)
}

/** A signature that was given for an account; undefined for one that has none. @throws AppError invalid_request when it has one and none was given */
async function shown(
  runtime: Runtime,
  userId: number,
  path: string,
  given: string | undefined,
): Promise<Compared | undefined> {
  if (given !== undefined) return compare(runtime, userId, given)
  if ((await findSignature(runtime.db, userId))?.secret == null) return undefined
  throw new AppError('invalid_request', `This account has a signature: send it along as ${path}`, {
    errors: [{ path, message: 'is needed, because a signature is set' }],
  })
}

async function judged(tx: Transaction, userId: number, compared: Compared | undefined, now: Date) {
  const isSet = (await findSignature(tx, userId))?.secret != null
  return isSet ? judge(tx, userId, compared, now) : undefined
}

/** The account as it is by now, if the code still is for it. */
async function usable(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  into: UserRow,
  row: LinkCodeRow,
): Promise<UserRow | undefined> {
  const from = row.targetId === null ? undefined : await findUser(tx, row.targetId)
  if (!from || from.id === into.id || from.appId !== into.appId || from.blockedAt) return undefined
  const isTheirs = isVouched(app, await openProfile(runtime, tx, from.profileSealed))
  return isTheirs && from.emailHash?.equals(row.emailHash) ? from : undefined
}

async function countTry(tx: Transaction, row: LinkCodeRow, now: Date): Promise<AppError> {
  const tries = row.tries + 1
  if (tries < CODE_TRIES) {
    await changeLinkCode(tx, row.userId, { tries })
    return codeInvalid(CODE_TRIES - tries)
  }
  const lockedUntil = new Date(now.getTime() + CODE_LOCKED_S * 1000)
  await changeLinkCode(tx, row.userId, { tries, expiresAt: now, lockedUntil, codeHash: null, targetId: null })
  return linkLocked(lockedUntil, now)
}

const isLive = (row: LinkCodeRow | undefined, now: Date): row is LinkCodeRow => row !== undefined && row.expiresAt > now
