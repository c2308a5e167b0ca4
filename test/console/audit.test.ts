import Sqlite from 'better-sqlite3'
import { eq, max } from 'drizzle-orm'
import pg from 'pg'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { migrate } from '../../server/db/migrate.ts'
import { auditLog, facts } from '../../server/db/schema.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'

async function someEntries() {
  const server = await startServer()
  const token = await operatorToken(server)
  for (const name of ['One', 'Two', 'Three']) await call(server, 'POST', '/api/v1/apps', { token, body: { name } })
  const verify = async () => (await call(server, 'GET', '/api/v1/audit/verify', { token })).body
  const entries = (await call(server, 'GET', '/api/v1/audit?sort=createdAt', { token })).body['items'] as {
    id: string
  }[]
  expect(await verify()).toEqual({ ok: true, entries: entries.length, brokenAt: null })
  const { db, vault } = server.runtime
  const rowOf = (at: number) => vault.ids.parse('aud', entries.at(at)!.id)!
  return { server, token, verify, entries, db, rowOf }
}

test.each([
  ['who acted', { actorLabel: 'somebody@example.com' }],
  ['what was done', { action: 'app.delete' }],
  ['when', { at: new Date('2020-01-01T00:00:00Z') }],
  ['what changed', { after: '{}' }],
  ['from where', { ip: '203.0.113.1' }],
])('an entry in which %s was altered is found', async (_, altered) => {
  const { verify, entries, db, rowOf } = await someEntries()
  await db.transaction((tx) =>
    tx
      .update(auditLog)
      .set(altered)
      .where(eq(auditLog.id, rowOf(2))),
  )
  expect(await verify()).toEqual({ ok: false, entries: 2, brokenAt: entries[2]!.id })
})

test('an entry that was taken out of the middle is missed where the next one follows', async () => {
  const { verify, entries, db, rowOf } = await someEntries()
  await db.transaction((tx) => tx.delete(auditLog).where(eq(auditLog.id, rowOf(2))))
  expect(await verify()).toEqual({ ok: false, entries: 2, brokenAt: entries[3]!.id })
})

test('the newest entry is missed too, now and after others have followed', async () => {
  const { server, token, verify, entries, db, rowOf } = await someEntries()
  await db.transaction((tx) => tx.delete(auditLog).where(eq(auditLog.id, rowOf(-1))))
  const left = entries.length - 1
  expect(await verify()).toMatchObject({ ok: false, entries: left, brokenAt: expect.stringMatching(/^aud_/) })
  await call(server, 'POST', '/api/v1/apps', { token, body: { name: 'Four' } })
  expect(await verify()).toMatchObject({ ok: false, entries: left })
})

test('a log that was emptied, or whose end is not known any more, does not pass for whole', async () => {
  const { verify, db } = await someEntries()
  await db.transaction((tx) => tx.delete(facts).where(eq(facts.key, 'audit_head')))
  expect(await verify()).toMatchObject({ ok: false })
  const other = await someEntries()
  await other.db.transaction((tx) => tx.delete(auditLog))
  expect(await other.verify()).toMatchObject({ ok: false, entries: 0 })
  const [row] = await other.db.select({ id: max(auditLog.id) }).from(auditLog)
  expect(row!.id).toBeNull()
})

test('a log from before the hash of its newest entry was kept apart is whole after the upgrade', async () => {
  const { server, verify, entries } = await someEntries()
  const { databaseUrl } = server.runtime.config
  const indexes = ['users_created', 'users_blocked', 'users_app_blocked']
  indexes.push('emails_created', 'emails_status', 'emails_app_status', 'emails_kind')
  const record = dialect === 'sqlite' ? '__drizzle_migrations' : 'drizzle.__drizzle_migrations'
  await execute(databaseUrl, [
    "delete from facts where key = 'audit_head'",
    ...indexes.map((name) => `drop index ${name}`),
    `delete from ${record} where created_at = (select max(created_at) from ${record})`,
  ])
  expect(await verify()).toMatchObject({ ok: false })
  expect(await migrate(databaseUrl)).toBe(1)
  expect(await verify()).toEqual({ ok: true, entries: entries.length, brokenAt: null })
})

/** Runs statements on a database as somebody does who has it in hand. */
async function execute(url: string, statements: string[]): Promise<void> {
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
