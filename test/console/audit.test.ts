import { readFileSync } from 'node:fs'
import { eq, max } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { auditLog, facts } from '../../server/db/schema.ts'
import { execute } from '../support/older.ts'
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
  await execute(databaseUrl, ["delete from facts where key = 'audit_head'"])
  expect(await verify()).toMatchObject({ ok: false })
  const upgrade = readFileSync(new URL(`../../migrations/${dialect}/0010_list_indexes.sql`, import.meta.url), 'utf8')
  await execute(databaseUrl, [upgrade.split('--> statement-breakpoint').at(-1)!])
  expect(await verify()).toEqual({ ok: true, entries: entries.length, brokenAt: null })
})
