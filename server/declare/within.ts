import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'

/**
 * The runtime for use cases that are to be part of one transaction: what they read is what it sees, what they write is kept with it or not at all, and what
 * they remember of apps and wake up elsewhere stays out of memory until then.
 */
export function within(runtime: Runtime, tx: Transaction): Runtime {
  const { check, forget, close, shared } = runtime.db
  const db = Object.assign(Object.create(tx) as Transaction, {
    ...{ check, forget, close, shared },
    transaction: <T>(work: (tx: Transaction) => Promise<T>) => work(tx),
  })
  const outbox: Runtime['outbox'] = {
    ...runtime.outbox,
    wake: (lane) => tx.afterCommit(() => runtime.outbox.wake(lane)),
  }
  return { ...runtime, db, outbox, apps: new Map() }
}
