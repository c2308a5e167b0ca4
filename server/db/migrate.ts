import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import { AppError } from '#server/error.ts'
import { driverCode } from './database.ts'
import { sqliteFile } from './open.ts'
import { makeFolder } from '#server/folder.ts'

const PATIENCE_MS = 60_000
// Any number, but the same in every process that migrates.
const POSTGRES_LOCK = 7_403_231_190

const folder = (dialect: string) => fileURLToPath(new URL(`../../migrations/${dialect}`, import.meta.url))

/**
 * Brings the schema up to this version. Safe to run from several processes at once (Drizzle's own migrator takes no lock, and two
 * starts at once then kill one), all or nothing, and refused on a database that a newer Gatehouse has written.
 * Returns how many migrations were applied.
 */
export async function migrate(databaseUrl: string): Promise<number> {
  return /^postgres(ql)?:/.test(databaseUrl) ? migratePostgresql(databaseUrl) : migrateSqlite(sqliteFile(databaseUrl))
}

/**
 * How many migrations a database still lacks; changes and creates nothing.
 * @throws AppError conflict when a newer Gatehouse has written it
 */
export async function pendingMigrations(databaseUrl: string): Promise<number> {
  if (!/^postgres(ql)?:/.test(databaseUrl)) return pendingInFile(sqliteFile(databaseUrl))
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    return dueMigrations(readMigrationFiles({ migrationsFolder: folder('postgresql') }), await lastPostgresql(client))
      .length
  } finally {
    await client.end()
  }
}

function pendingInFile(file: string): number {
  const migrations = readMigrationFiles({ migrationsFolder: folder('sqlite') })
  if (!existsSync(file)) return migrations.length
  const connection = new Sqlite(file, { readonly: true, timeout: 1_000 })
  try {
    const journal = connection.prepare(`select 1 from sqlite_master where name = '__drizzle_migrations'`).get()
    return dueMigrations(migrations, journal ? lastSqlite(connection) : null).length
  } finally {
    connection.close()
  }
}

function lastSqlite(connection: Sqlite.Database): number | null {
  const last = connection.prepare('select max(created_at) as at from __drizzle_migrations').get()
  return (last as { at: number | null }).at
}

async function lastPostgresql(client: pg.Client): Promise<number | null> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as exists`,
  )
  if (!rows[0]!.exists) return null
  const last = await client.query<{ at: string | null }>(
    'select max(created_at) as at from drizzle.__drizzle_migrations',
  )
  const { at } = last.rows[0]!
  return at === null ? null : Number(at)
}

async function migrateSqlite(file: string): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder: folder('sqlite') })
  makeFolder(dirname(file))
  const connection = new Sqlite(file, { timeout: 10 })
  try {
    await patiently(() => connection.pragma('journal_mode = wal'))
    connection.pragma('synchronous = full')
    await patiently(() => connection.exec('begin immediate'))
    connection.exec(
      'create table if not exists __drizzle_migrations (id integer primary key, hash text not null, created_at numeric)',
    )
    const due = dueMigrations(migrations, lastSqlite(connection))
    const record = connection.prepare('insert into __drizzle_migrations (hash, created_at) values (?, ?)')
    for (const migration of due) {
      for (const statement of migration.sql) connection.exec(statement)
      record.run(migration.hash, migration.folderMillis)
    }
    connection.exec('commit')
    return due.length
  } finally {
    connection.close()
  }
}

async function migratePostgresql(url: string): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder: folder('postgresql') })
  const client = new pg.Client({
    connectionString: url,
    application_name: 'gatehouse migrate',
    connectionTimeoutMillis: 10_000,
  })
  await client.connect()
  try {
    await client.query(`set lock_timeout = ${PATIENCE_MS}`)
    await client.query(`select pg_advisory_lock(${POSTGRES_LOCK})`)
    const due = dueMigrations(migrations, await lastPostgresql(client))
    if (due.length > 0) await migratePostgres(drizzlePostgres(client), { migrationsFolder: folder('postgresql') })
    return due.length
  } finally {
    // Ending the connection releases the lock.
    await client.end()
  }
}

function dueMigrations<M extends { folderMillis: number }>(migrations: M[], last: number | null): M[] {
  const newest = Math.max(...migrations.map((migration) => migration.folderMillis))
  if (last !== null && last > newest) {
    throw new AppError(
      'conflict',
      'The database was written by a newer Gatehouse; start that version, or restore a backup made before the upgrade',
    )
  }
  return migrations.filter((migration) => last === null || migration.folderMillis > last)
}

async function patiently(step: () => unknown): Promise<void> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      step()
      return
    } catch (error) {
      if (!driverCode(error)?.startsWith('SQLITE_BUSY') || performance.now() > until) throw error
      await wait(20)
    }
  }
}
