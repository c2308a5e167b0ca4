import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { locked } from './code.ts'
import { matchesSignature } from './secret.ts'
import { findSignature, saveSignature, type SignatureRow } from './store.ts'

/** Wrong tries in a row that lock a signature: for a quarter of an hour, and twice as long each time again, up to a day. */
const TRIES = 5
const LOCKED_MS = 900_000
const LONGEST_LOCK_MS = 86_400_000

/** Tries that may cost us a hash in ten minutes, right ones too. */
const MOST_TRIES = 300

/** What a given signature was compared with, and how that went. */
export type Compared = { secret: string; right: boolean }

/**
 * Compares a signature with the person's, outside any transaction because it takes a while. What came of it counts only once `judge` has looked whether
 * there was a try left. Undefined when no signature is set.
 * @throws AppError locked, rate_limited
 */
export async function compare(runtime: Runtime, userId: number, given: string): Promise<Compared | undefined> {
  await runtime.limits.guess(`signature of user ${userId}`, MOST_TRIES, 600)
  const row = await findSignature(runtime.db, userId)
  refuseLocked(row, runtime.now())
  if (row?.secret == null) return undefined
  return { secret: row.secret, right: await matchesSignature(runtime.vault, given, row.secret) }
}

/**
 * Counts a try inside the caller's transaction and says what is to be answered: undefined for a right one. It is a refusal to be thrown after the commit,
 * so that the count stays. Every way that asks for a signature comes through here, so that the tries of all are counted together.
 * @throws AppError locked, conflict when it was changed meanwhile
 */
export async function judge(
  tx: Transaction,
  userId: number,
  compared: Compared | undefined,
  now: Date,
): Promise<AppError | undefined> {
  await tx.lock(`signature of user ${userId}`)
  const row = await findSignature(tx, userId)
  refuseLocked(row, now)
  if (row?.secret == null) throw notSet()
  if (row.secret !== compared?.secret) throw new AppError('conflict', 'The signature was changed just now; try again')
  if (compared.right) {
    if (row.wrongTries > 0) await saveSignature(tx, userId, { wrongTries: 0, lockedUntil: null })
    return undefined
  }
  const wrongTries = row.wrongTries + 1
  const lockedUntil = wrongTries % TRIES === 0 ? new Date(now.getTime() + lockedFor(wrongTries)) : null
  await saveSignature(tx, userId, { wrongTries, lockedUntil })
  return lockedUntil ? lockedOut(lockedUntil, now) : signatureWrong(TRIES - (wrongTries % TRIES))
}

const lockedFor = (wrongTries: number) => Math.min(LOCKED_MS * 2 ** (wrongTries / TRIES - 1), LONGEST_LOCK_MS)

function refuseLocked(row: SignatureRow | undefined, now: Date): void {
  if (row?.lockedUntil && row.lockedUntil > now) throw lockedOut(row.lockedUntil, now)
}

const lockedOut = (until: Date, now: Date) =>
  locked(until, now, 'Too many wrong signatures; wait, or reset the signature by e-mail')

export const notSet = () => new AppError('conflict', 'No signature is set; set one first')

const signatureWrong = (triesLeft: number) =>
  new AppError('signature_wrong', 'The signature is wrong', { details: { triesLeft } })
