import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateSqlite } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'
import { dialect } from '../../server/db/dialect.ts'
import { emptyDatabase } from './database.ts'

type Journal = { entries: { tag: string }[] }

/** A database as the version left it whose last migration was `tag`; its URL. */
export async function olderDatabase(tag: string): Promise<string> {
  const url = await emptyDatabase()
  const migrationsFolder = mkdtempSync(join(tmpdir(), 'gatehouse-migrations-'))
  cpSync(fileURLToPath(new URL(`../../migrations/${dialect}`, import.meta.url)), migrationsFolder, { recursive: true })
  const file = join(migrationsFolder, 'meta/_journal.json')
  const journal = JSON.parse(readFileSync(file, 'utf8')) as Journal
  const last = journal.entries.findIndex((entry) => entry.tag === tag)
  if (last < 0) throw new Error(`There is no migration ${tag}`)
  writeFileSync(file, JSON.stringify({ ...journal, entries: journal.entries.slice(0, last + 1) }))
  if (dialect === 'sqlite') {
    const connection = new Sqlite(url.replace('file:', ''))
    migrateSqlite(drizzleSqlite(connection), { migrationsFolder })
    connection.close()
  } else {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await migratePostgres(drizzlePostgres(client), { migrationsFolder })
    await client.end()
  }
  return url
}

/** Runs statements on a database as somebody does who has it in hand. */
export async function execute(url: string, statements: string[]): Promise<void> {
  if (dialect === 'sqlite') {
    const connection = new Sqlite(url.replace('file:', ''))
    for (const statement of statements) connection.exec(statement)
    connection.close()
    return
  }
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}
