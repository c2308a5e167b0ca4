import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { makeFolder } from '#server/folder.ts'
import { beforeRead, type Database, type Reader } from './database.ts'
import { groupCommit } from './groupCommit.ts'
import { shareSnapshot } from './snapshot.ts'

/** Opens (and creates) an SQLite file: one writer connection with group commit, one read-only connection beside it. */
export function openSqlite(file: string): Database {
  makeFolder(dirname(file))
  const writer = connect(file)
  const reader = connect(file, { readonly: true })
  const reads = drizzle(reader, { casing: 'snake_case' }) as unknown as Reader
  const snapshot = shareSnapshot(reader)
  const transaction = groupCommit(writer, snapshot.close)

  const database = {
    [beforeRead]: snapshot.open,
    select: reads.select.bind(reads),
    selectDistinct: reads.selectDistinct.bind(reads),
    $count: reads.$count.bind(reads),
    transaction,
    shared: undefined,
    async check() {
      const problems = reader.pragma('integrity_check', { simple: true }) as string
      const foreign = reader.pragma('foreign_key_check') as unknown[]
      const full = writer.pragma('synchronous', { simple: true }) === 2
      const ok = problems === 'ok' && foreign.length === 0 && full
      const detail = ok
        ? `SQLite ${version(reader)}, integrity ok, synchronous=FULL`
        : `integrity: ${problems}, foreign keys broken: ${foreign.length}, synchronous=FULL: ${full}`
      return { ok, detail }
    },
    async forget() {
      while (writer.inTransaction) await wait(2)
      snapshot.close()
      const [outcome] = writer.pragma('wal_checkpoint(truncate)') as { busy: number }[]
      return outcome?.busy === 0
    },
    async close() {
      snapshot.close()
      reader.close()
      writer.close()
    },
  }
  return database
}

function connect(file: string, options: Sqlite.Options = {}): Sqlite.Database {
  // The driver waits for a lock synchronously, which stops every request: a few milliseconds at most, the rest is waited for above.
  const connection = new Sqlite(file, { timeout: 10, ...options })
  try {
    if (!options.readonly) connection.pragma('journal_mode = wal')
    // Said on every open: with WAL the library falls back to NORMAL when the file exists already, and a power cut loses acknowledged writes.
    connection.pragma('synchronous = full')
    // What is deleted is overwritten: a person who was erased leaves nothing in pages that wait to be used again.
    if (!options.readonly) connection.pragma('secure_delete = on')
    connection.pragma('foreign_keys = on')
    connection.pragma('wal_autocheckpoint = 10000')
    connection.pragma('cache_size = -65536')
    // temp_store stays at its default: in memory, every statement of a large transaction walks the whole journal of its savepoint.
  } catch (error) {
    connection.close()
    throw error
  }
  return connection
}

function version(connection: Sqlite.Database): string {
  return (connection.prepare('select sqlite_version() as version').get() as { version: string }).version
}
