import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { openProfile, sealProfile } from '#server/identity/findOrCreate.ts'
import { findUser, updateUser, type UserRow } from '#server/identity/store.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { endUserSessions } from '#server/session/revoke.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { personActor } from './act.ts'
import { CODE_LOCKED_S, CODE_TRIES, codeInvalid, codeText, isCode } from './code.ts'
import { addressee, openEmail, type Contact } from './contact.ts'
import { recoveryAnswers, verifyAnswers } from './questions.ts'
import { refuseResetLocked, resetCodeOf, resetLocked } from './reset.ts'
import { hashSignature, newSignature } from './secret.ts'
import { countTry, deleteCode, findCode, findSignature, saveSignature, type SignatureCodeRow } from './store.ts'
import { tellByMail } from './tell.ts'

export const resetConfirmation = z.strictObject({
  code: codeText,
  newSignature,
  answers: recoveryAnswers.default([]),
})

/** Tries that may cost us a hash in ten minutes. */
const MOST_TRIES = 300

type Call = { app: App; user: UserRow; code: SignatureCodeRow; origin: Origin; now: Date }

/**
 * Sets a new signature for the mailed code and, where questions were set, their answers. Which of them was wrong is not told. The fifth wrong try ends the
 * reset and all the person's sessions, tells them by mail and the app by `user.logout`, in the transaction that counts it.
 * @throws AppError code_invalid, locked, rate_limited, not_found
 */
export async function confirmReset(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  input: z.infer<typeof resetConfirmation>,
  origin: Origin,
): Promise<void> {
  const { vault, db } = runtime
  await runtime.limits.guess(`signature code of user ${userId}`, MOST_TRIES, 600)
  const before = await findSignature(db, userId)
  refuseResetLocked(before, runtime.now())
  // Junk without a code under way costs no hash.
  if (!isLive(await findCode(db, userId), runtime.now())) throw codeInvalid()
  // The same work whatever is right, and all of it before the transaction, which then decides in one step.
  const [secret, answered] = await Promise.all([
    hashSignature(vault, input.newSignature),
    verifyAnswers(vault, input.answers, before?.answers ?? null),
  ])
  const now = runtime.now()
  const refusal = await db.transaction(async (tx) => {
    await tx.lock(`signature of user ${userId}`)
    const [row, code, user] = [await findSignature(tx, userId), await findCode(tx, userId), await findUser(tx, userId)]
    if (!user) throw new AppError('not_found', 'There is no such user')
    refuseResetLocked(row, now)
    if (!isLive(code, now)) throw codeInvalid()
    const right = isCode(vault, resetCodeOf(userId), input.code, code.codeHash)
    const call = { app, user, code, origin, now }
    if (right && answered && (row?.answers ?? null) === (before?.answers ?? null))
      return renewSignature(runtime, tx, call, secret)
    const tries = code.tries + 1
    if (tries >= CODE_TRIES) return failReset(runtime, tx, call)
    await countTry(tx, userId, tries)
    return codeInvalid(CODE_TRIES - tries)
  })
  if (refusal) throw refusal
}

async function renewSignature(runtime: Runtime, tx: Transaction, call: Call, secret: string): Promise<undefined> {
  const { app, user, code, origin, now } = call
  await deleteCode(tx, user.id)
  await saveSignature(tx, user.id, {
    secret,
    changedAt: now,
    emailSealed: code.emailSealed,
    wrongTries: 0,
    lockedUntil: null,
  })
  await tellByMail(runtime, tx, 'signature_updated', {
    app,
    userId: user.id,
    to: await mailedTo(runtime, tx, call),
    origin,
  })
  await vouchFor(runtime, tx, call)
  await audit(runtime, tx, call, 'signature.reset')
}

/** Who had the code reads the mailbox, so the address in the profile is theirs as if a login had said so. */
async function vouchFor(runtime: Runtime, tx: Transaction, { user, code }: Call): Promise<void> {
  await tx.lock(`profile of user ${user.id}`)
  const now = await findUser(tx, user.id)
  const profile = await openProfile(runtime, tx, now?.profileSealed ?? null)
  if (!code.emailSealed || profile.emailVerified) return
  if (profile.email !== (await openEmail(runtime, tx, code.emailSealed))) return
  await updateUser(tx, user.id, await sealProfile(runtime, tx, user.id, { ...profile, emailVerified: true }))
}

async function failReset(runtime: Runtime, tx: Transaction, call: Call): Promise<AppError> {
  const { app, user, origin, now } = call
  const until = new Date(now.getTime() + CODE_LOCKED_S * 1000)
  await deleteCode(tx, user.id)
  await saveSignature(tx, user.id, { resetLockedUntil: until })
  await tellByMail(runtime, tx, 'signature_reset_failed', {
    app,
    userId: user.id,
    to: await mailedTo(runtime, tx, call),
    origin,
  })
  const ended = await endUserSessions(runtime, tx, user.id, { reason: 'signature_reset_failed', at: now })
  await audit(runtime, tx, call, 'signature.reset_failed', { endedSessions: ended })
  return resetLocked(until, now)
}

function audit(runtime: Runtime, tx: Transaction, call: Call, action: string, after?: Record<string, number>) {
  const { app, user, origin, now } = call
  const actor = personActor(runtime, user.id, origin)
  return recordAudit(tx, { at: now, actor, action, appId: app.id, target: { kind: 'user', id: user.id }, after })
}

/** The same mailbox that got the code, whatever the profile says by now. */
async function mailedTo(runtime: Runtime, tx: Transaction, { code, user }: Call): Promise<Contact | undefined> {
  if (!code.emailSealed) return undefined
  return addressee(runtime, tx, user, await openEmail(runtime, tx, code.emailSealed))
}

const isLive = (code: SignatureCodeRow | undefined, now: Date): code is SignatureCodeRow =>
  code !== undefined && code.expiresAt > now
