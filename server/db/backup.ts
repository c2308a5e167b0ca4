import { createHash } from 'node:crypto'
import { closeSync, copyFileSync, createReadStream, existsSync, linkSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import Sqlite from 'better-sqlite3'
import { AppError } from '#server/error.ts'
import { makeFolder } from '#server/folder.ts'
import { driverCode } from './database.ts'
import { discard, sync } from './files.ts'
import { bringKeysBack, takeKeysApart } from './keysApart.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { sqliteFile } from './open.ts'

/**
 * Row numbers go on this far above those of the backup: between backup and restore other rows had the numbers right after it, and a token
 * or an id from that time must not come to mean somebody else's session or account.
 */
const NUMBERS_SKIPPED = 1_000_000_000

/**
 * Copies an SQLite database into one file, while servers use it, and checks the copy. With `keysFile`, people's own keys go there and not into the copy
 * (`takeKeysApart`).
 * @throws AppError conflict when the file exists, invalid_request on PostgreSQL
 */
export async function backupDatabase(
  databaseUrl: string,
  file: string,
  keysFile?: string,
): Promise<{ sha256: string }> {
  const source = fileOf(databaseUrl, 'Make backups of PostgreSQL with its own tools: pg_dump --format=custom')
  if (!existsSync(source)) throw new AppError('not_found', `There is no database at ${source}`)
  if (existsSync(file)) throw new AppError('conflict', `${file} exists already; name a new file`)
  const fresh = `${file}.${process.pid}.part`
  try {
    const connection = new Sqlite(source, { readonly: true, timeout: 5_000 })
    try {
      closeSync(openSync(fresh, 'wx', 0o600))
      // All pages in one step: between steps a busy server would make the copy begin again and again.
      await connection.backup(fresh, { progress: () => 0x7fffffff })
    } finally {
      connection.close()
    }
    if (keysFile !== undefined) takeKeysApart(fresh, keysFile)
    settle(fresh)
    place(fresh, file)
  } finally {
    discard(fresh)
  }
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { sha256: hash.digest('hex') }
}

/** Checks a copy and makes it one file, complete on disk, that needs no log beside it. */
function settle(file: string): void {
  const connection = new Sqlite(file, { timeout: 5_000 })
  try {
    connection.pragma('journal_mode = delete')
    const problem = connection.pragma('integrity_check', { simple: true })
    if (problem !== 'ok') throw new AppError('conflict', `The copy is damaged: ${String(problem).slice(0, 200)}`)
  } finally {
    connection.close()
  }
  sync(file)
}

/** The file appears whole under its name, or not at all when somebody else made one meanwhile. */
function place(fresh: string, file: string): void {
  try {
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new AppError('conflict', `${file} exists already; name a new file`)
    throw error
  }
  sync(dirname(file))
}

/**
 * Puts a backup in the place of an SQLite database, after checking it, bringing its schema up to date and letting `prepare` work on the
 * copy. Where its keys were kept apart, `prepare` is told whose are no longer there. The database that was there stays beside it; returns its new name. A crash at any moment leaves the old or the new one whole.
 * @throws AppError conflict while a server holds the database; invalid_request for what is no backup, or on PostgreSQL
 */
export async function restoreDatabase(
  databaseUrl: string,
  { backup, keysFile, at }: { backup: string; keysFile?: string | undefined; at: Date },
  prepare: (databaseUrl: string, keyless: number[]) => Promise<void>,
): Promise<string | undefined> {
  const target = fileOf(databaseUrl, 'Restore PostgreSQL with its own tools: pg_restore')
  await assertBackup(backup)
  const fresh = `${target}.${process.pid}.restoring`
  try {
    // On a new machine there is nothing yet.
    makeFolder(dirname(target))
    copyFileSync(backup, fresh)
    await migrate(`file:${fresh}`)
    skipNumbers(fresh)
    await prepare(`file:${fresh}`, bringKeysBack(fresh, keysFile))
    settle(fresh)
    return replace(target, fresh, `${target}.before-restore-${at.toISOString().replace(/[:.]/g, '-')}`)
  } finally {
    discard(fresh)
  }
}

async function assertBackup(file: string): Promise<void> {
  if (!existsSync(file)) throw new AppError('not_found', `There is no file ${file}`)
  try {
    const connection = new Sqlite(file, { readonly: true, timeout: 5_000 })
    try {
      const problem = connection.pragma('integrity_check', { simple: true })
      if (problem !== 'ok')
        throw new AppError('invalid_request', `${file} is damaged: ${String(problem).slice(0, 200)}`)
      const ours = connection.prepare(`select 1 from sqlite_master where name = 'sessions'`).get()
      if (!ours) throw new AppError('invalid_request', `${file} is an SQLite database, but not one of Gatehouse`)
    } finally {
      connection.close()
    }
  } catch (error) {
    const code = driverCode(error)
    if (error instanceof AppError || !code) throw error
    const fault = code === 'SQLITE_NOTADB' ? 'is not an SQLite database' : `cannot be read (${code})`
    throw new AppError('invalid_request', `${file} ${fault}`, { cause: error })
  }
  await pendingMigrations(`file:${file}`)
}

function skipNumbers(file: string): void {
  const connection = new Sqlite(file)
  try {
    connection.exec(`insert into sqlite_sequence (name, seq) select name, 0 from sqlite_master
      where type = 'table' and sql like '%autoincrement%' and name not in (select name from sqlite_sequence)`)
    connection.prepare('update sqlite_sequence set seq = seq + ?').run(NUMBERS_SKIPPED)
  } finally {
    connection.close()
  }
}

function replace(target: string, fresh: string, kept: string): string | undefined {
  if (!existsSync(target)) {
    renameSync(fresh, target)
    return undefined
  }
  const release = holdAlone(target)
  try {
    linkSync(target, kept)
    // Only a damaged database still has a log here, and it must not be replayed into the one that takes its place.
    for (const suffix of ['-wal', '-shm', '-journal'])
      if (existsSync(target + suffix)) renameSync(target + suffix, kept + suffix)
    renameSync(fresh, target)
    sync(dirname(target))
  } finally {
    release()
  }
  return kept
}

/** Takes a database for this process alone, its log written back into it. What is too damaged to be opened is in nobody's hands. */
function holdAlone(file: string): () => void {
  const connection = new Sqlite(file, { timeout: 500 })
  try {
    connection.pragma('journal_mode = delete')
    connection.pragma('locking_mode = exclusive')
    connection.exec('begin exclusive')
  } catch (error) {
    connection.close()
    const code = driverCode(error) ?? ''
    if (/^SQLITE_(BUSY|LOCKED)/.test(code))
      throw new AppError('conflict', 'A server is using this database; stop it first, then restore', { cause: error })
    if (!/^SQLITE_(NOTADB|CORRUPT)/.test(code)) throw error
    return () => {}
  }
  return () => connection.close()
}

function fileOf(databaseUrl: string, elsewhere: string): string {
  if (/^postgres(ql)?:/.test(databaseUrl)) throw new AppError('invalid_request', elsewhere)
  return sqliteFile(databaseUrl)
}
