import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { wasErased } from '#server/session/session.ts'
import type { Access } from '#server/token/verifyAccess.ts'

const queues = new WeakMap<Runtime, Map<number, Promise<unknown>>>()

/**
 * Does one person's tries one after the other, so that a hundred guesses at once cost the hashes of those few that may be made. Their count is kept by the
 * database, which is right without this, too; this only keeps the work small.
 * @throws AppError not_found for somebody who was erased at that very moment, and what `work` throws
 */
export function inTurn<T>(runtime: Runtime, { session: { userId } }: Access, work: () => Promise<T>): Promise<T> {
  let queue = queues.get(runtime)
  if (!queue) queues.set(runtime, (queue = new Map<number, Promise<unknown>>()))
  const done = (queue.get(userId) ?? Promise.resolve()).then(work).catch(asErased)
  const settled: Promise<void> = done
    .then(
      () => {},
      () => {},
    )
    .then(() => {
      if (queue.get(userId) === settled) queue.delete(userId)
    })
  queue.set(userId, settled)
  return done
}

function asErased(error: unknown): never {
  throw wasErased(error) ? new AppError('not_found', 'There is no such user') : error
}
