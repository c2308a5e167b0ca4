import { dialect } from './dialect.ts'
import type { Database } from './database.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

/** Opens the database a URL names: `postgres://…`, or `file:PATH` for SQLite. The schema must stand already (migrate.ts). */
export function openDatabase(url: string, options: { onError?: (error: Error) => void } = {}): Database {
  const wanted = /^postgres(ql)?:/.test(url) ? 'postgresql' : 'sqlite'
  if (wanted !== dialect)
    throw new Error(`This process speaks ${dialect}: DATABASE_URL must be in the environment when it starts`)
  return wanted === 'postgresql' ? openPostgres(url, options) : openSqlite(sqliteFile(url))
}

/** The path in a `file:` URL, relative paths allowed. */
export function sqliteFile(url: string): string {
  return url.replace(/^file:(\/\/(?=\/))?/, '')
}
