import { hash } from 'node:crypto'
import type { App } from '#server/app/app.ts'
import { isUniqueViolation, type Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { deleteAnswer, findAnswer, insertAnswer } from './store.ts'

/** How long an answer is remembered. */
export const MEMORY_MS = 86_400_000

/** What was answered, and whether that is the answer of an earlier call. */
export type Answered<T> = { answer: T; replayed: boolean }

const inFlight = new WeakMap<Runtime, Set<string>>()

/**
 * Does something once an idempotency key (draft-ietf-httpapi-idempotency-key-header): the same key with the same body gives the stored answer, with
 * another body it is refused, and so is a second call while the first is under way. `prepare` checks the input and returns the transaction's body.
 * @throws AppError conflict, idempotency_mismatch
 */
export async function once<T>(
  runtime: Runtime,
  app: App,
  { key, text }: { key: string | undefined; text: string },
  prepare: () => Promise<(tx: Transaction) => Promise<T>>,
): Promise<Answered<T>> {
  if (key === undefined) {
    const work = await prepare()
    return { answer: await runtime.db.transaction(work), replayed: false }
  }
  const keyHash = runtime.vault.hash(`${app.id} ${key}`, 'idempotency_keys')
  const fingerprint = hash('sha256', text, 'buffer')
  let flying = inFlight.get(runtime)
  if (!flying) inFlight.set(runtime, (flying = new Set()))
  const name = keyHash.toString('base64')
  if (flying.has(name))
    throw new AppError('conflict', 'A call with this Idempotency-Key is under way; repeat it in a moment', {
      retryAfter: 1,
    })
  flying.add(name)
  try {
    const known = await answered<T>(runtime, app, keyHash, fingerprint)
    if (known) return known
    const work = await prepare()
    return await runtime.db.transaction(async (tx) => {
      await tx.lock(`idempotency ${name}`)
      const answer = await work(tx)
      const now = runtime.now()
      const old = await findAnswer(tx, app.id, keyHash)
      if (old && isOver(old.createdAt, now)) await deleteAnswer(tx, old.id)
      await insertAnswer(tx, { appId: app.id, keyHash, fingerprint, answer: JSON.stringify(answer), createdAt: now })
      return { answer, replayed: false }
    })
  } catch (error) {
    // Another process was first.
    const known = isUniqueViolation(error) ? await answered<T>(runtime, app, keyHash, fingerprint) : undefined
    if (known) return known
    throw error
  } finally {
    flying.delete(name)
  }
}

async function answered<T>(
  runtime: Runtime,
  app: App,
  keyHash: Buffer,
  fingerprint: Buffer,
): Promise<Answered<T> | undefined> {
  const known = await findAnswer(runtime.db, app.id, keyHash)
  if (!known || isOver(known.createdAt, runtime.now())) return undefined
  if (!known.fingerprint.equals(fingerprint))
    throw new AppError('idempotency_mismatch', 'This Idempotency-Key was used with another body; use a new key')
  return { answer: JSON.parse(known.answer) as T, replayed: true }
}

const isOver = (at: Date, now: Date) => now.getTime() - at.getTime() >= MEMORY_MS
