import { AsyncLocalStorage } from 'node:async_hooks'

const inside = new AsyncLocalStorage<true>()

/** A transaction inside another would wait for itself on SQLite and for a spare connection on PostgreSQL. */
export function assertOutsideTransaction(): void {
  if (inside.getStore()) throw new Error('already in a transaction')
}

/** Runs a transaction's body so that `assertOutsideTransaction` fails within it. */
export function asTransaction<T>(body: () => Promise<T>): Promise<T> {
  return inside.run(true, body)
}
