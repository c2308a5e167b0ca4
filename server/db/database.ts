import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { DrizzleQueryError } from 'drizzle-orm'

/** What was asked within one snapshot and what the answer was. */
export type Snapshot = Map<string, unknown>

/** What a reader wants done before a prepared statement reads, which tells the snapshot that it reads (snapshot.ts). */
export const beforeRead = Symbol('before read')

/** What a query may do anywhere: read committed rows. */
export type Reader = Pick<NodePgDatabase, 'select' | 'selectDistinct' | '$count'>

/** What a query may do inside a transaction. */
export type Transaction = Reader &
  Pick<NodePgDatabase, 'insert' | 'update' | 'delete'> & {
    /** Serialises every transaction that names the same key, until it commits. */
    lock(key: string): Promise<void>
    /** Does something in memory once the transaction is committed, and not at all when it is not: a body may run more than once. */
    afterCommit(effect: () => void): void
  }

export type Database = Reader & {
  /**
   * Writes happen only here. Resolves after the commit is on disk; a rejected body leaves nothing behind.
   * `work` may await the database and nothing else: on SQLite it holds the only writer. It may run again, after a serialisation failure on PostgreSQL
   * and after the failure of another body in its group on SQLite, so it must not have effects outside the database (`afterCommit`).
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Integrity of the store and what it is, for `doctor`; a server on another machine also tells its time. */
  check(): Promise<{ ok: boolean; detail: string; now?: Date }>
  /**
   * Takes what was deleted out of the database's own files, as far as that is ours to do: SQLite's log is written back and emptied (the pages themselves are
   * overwritten as things are deleted). False when somebody else was using it; it has to be asked again then.
   */
  forget(): Promise<boolean>
  /** The connection pool on PostgreSQL, for what must be shared between processes outside a transaction; undefined on SQLite. */
  shared: unknown
  close(): Promise<void>
}

/** The one question both drivers answer differently about a refused write. */
export function isUniqueViolation(error: unknown): boolean {
  const code = driverCode(error)
  return code === '23505' || code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
}

/** The driver's own error code, with Drizzle's wrapping taken off. */
export function driverCode(error: unknown): string | undefined {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
