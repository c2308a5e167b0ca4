import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'
import { sqliteFile } from '../../server/db/open.ts'

/** All that a thief of the database holds: every byte of SQLite's files, or every value of every table of PostgreSQL. */
export async function dumpDatabase(url: string): Promise<string> {
  return url.startsWith('file:') ? dumpFiles(sqliteFile(url)) : dumpTables(url)
}

function dumpFiles(file: string): string {
  const files = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)))
  return files.map((name) => readFileSync(join(dirname(file), name), 'latin1')).join('\n')
}

async function dumpTables(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ tablename: string }>(
      `select tablename from pg_tables where schemaname = 'public'`,
    )
    const values: string[] = []
    for (const { tablename } of rows) {
      const table = await client.query<Record<string, unknown>>(`select * from "${tablename}"`)
      for (const row of table.rows)
        for (const value of Object.values(row))
          values.push(Buffer.isBuffer(value) ? value.toString('latin1') : String(value))
    }
    return values.join('\n')
  } finally {
    await client.end()
  }
}
