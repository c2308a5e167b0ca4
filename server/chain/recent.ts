import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'

const MOST_KEPT = 5_000

/** An answer of the chain, and when it was given. */
export type Recent<T> = { value: T; at: Date }

type Entry = { last?: Recent<unknown>; loading?: Promise<Recent<unknown>> }
const memory = new WeakMap<Runtime, Map<string, Entry>>()

/**
 * What `load` answers, or what it answered less than `ttl` seconds ago; who asks while it is being loaded waits for the same answer.
 * @throws AppError as `load`; while the chain is away the refusal brings the last known value as `lastKnown`, a `Recent<T>`
 */
export async function recent<T extends object>(
  runtime: Runtime,
  key: string,
  ttl: number,
  load: () => Promise<T>,
): Promise<Recent<T>> {
  const entry = entryOf(runtime, key)
  const age = (known: Recent<unknown>) => (runtime.now().getTime() - known.at.getTime()) / 1000
  if (entry.last && age(entry.last) < ttl) return entry.last as Recent<T>
  entry.loading ??= load()
    .then((value) => (entry.last = { value, at: runtime.now() }))
    .finally(() => delete entry.loading)
  try {
    return (await entry.loading) as Recent<T>
  } catch (error) {
    const { last } = entry
    if (!last || !(error instanceof AppError) || error.code !== 'chain_unavailable') throw error
    throw new AppError(error.code, error.message, {
      cause: error.cause,
      ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter }),
      details: { lastKnown: last },
    })
  }
}

/** The entry of a key, the most recently asked last; the least recently asked is forgotten first. */
function entryOf(runtime: Runtime, key: string): Entry {
  let entries = memory.get(runtime)
  if (!entries) memory.set(runtime, (entries = new Map<string, Entry>()))
  const entry = entries.get(key) ?? {}
  entries.delete(key)
  entries.set(key, entry)
  if (entries.size > MOST_KEPT) entries.delete(entries.keys().next().value!)
  return entry
}
