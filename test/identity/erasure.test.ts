import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { closeRuntime, createRuntime } from '../../server/createRuntime.ts'
import { backupDatabase, restoreDatabase } from '../../server/db/backup.ts'
import { dialect } from '../../server/db/dialect.ts'
import { erasedUsers, facts, identities, personalKeys, users } from '../../server/db/schema.ts'
import { eraseAgain, eraseKeyless } from '../../server/identity/eraseAgain.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { keyOldUsers } from '../../server/personal/keyOldUsers.ts'
import { ledgerFile } from '../../server/personal/ledger.ts'
import { moveKeys } from '../../server/personal/store.ts'
import { KeyDestroyed, openPersonal } from '../../server/personal/seal.ts'
import { keyTag } from '../../server/secret/vault.ts'
import { sweep } from '../../server/sweep.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, person } from '../support/telegram.ts'

const idOf = (server: TestServer, text: string) => server.runtime.vault.ids.parse('usr', text)!
const erase = (server: TestServer, token: string) => call(server, 'DELETE', '/v1/me', { token })

async function held(server: TestServer, userId: number) {
  const { db } = server.runtime
  const [user] = await db.select().from(users).where(eq(users.id, userId))
  const [identity] = await db.select().from(identities).where(eq(identities.userId, userId))
  return { user: user!, identity: identity! }
}

test('what is kept of a person is under a key of their own, and unreadable without it', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const { body } = await signInWithTelegram(server, app)
  const { user, identity } = await held(server, idOf(server, body['user'].id))
  const copies = [
    { sealed: user.profileSealed!, place: 'users.profile', holds: 'Alice Ito' },
    { sealed: identity.subjectSealed, place: 'identities.subject', holds: '279058397' },
    { sealed: identity.detailsSealed!, place: 'identities.details', holds: 'alice_ito' },
  ]
  const { db } = server.runtime
  const [key, ...more] = await db.select().from(personalKeys)
  expect(more).toEqual([])
  for (const { sealed, place, holds } of copies) {
    expect(keyTag(sealed)).toEqual(key!.tag)
    expect(await openPersonal(server.runtime, db, sealed, place)).toContain(holds)
    await expect(openPersonal(server.runtime, db, sealed, 'events.payload')).rejects.toThrow()
    expect(() => server.runtime.vault.open(sealed, place)).toThrow()
  }
  // A wrapped key serves under its own tag only.
  expect(() => server.runtime.vault.openKey(Buffer.alloc(8), key!.sealed)).toThrow()

  expect((await erase(server, body['accessToken'])).status).toBe(204)
  expect(await db.select().from(personalKeys)).toEqual([])
  for (const { sealed, place } of copies)
    await expect(openPersonal(server.runtime, db, sealed, place)).rejects.toThrow(KeyDestroyed)
})

test('whoever a backup brings back is erased again at the next start, in whatever way it was put back', async () => {
  const server = await startServer()
  const { runtime } = server
  const app = await telegramApp(server)
  const [gone, stays] = [
    await signInWithTelegram(server, app, person(1)),
    await signInWithTelegram(server, app, person(2)),
  ]
  const userId = idOf(server, gone.body['user'].id)
  const before = await held(server, userId)
  const [key] = await runtime.db.select().from(personalKeys).where(eq(personalKeys.userId, userId))
  await erase(server, gone.body['accessToken'])
  expect(readFileSync(ledgerFile(runtime.config), 'utf8')).toMatch(
    /^usr_\S+ 2026-06-01T12:00:00.000Z 2026-06-01T12:00:00.000Z\n$/,
  )
  expect(await eraseAgain(runtime, cliActor)).toBe(0)

  // As a database put back by pg_restore, or as a file: the rows of then, the table of the erased too.
  const putBack = (createdAt = before.user.createdAt) =>
    runtime.db.transaction(async (tx) => {
      await tx.delete(erasedUsers)
      await tx.insert(users).values({ ...before.user, createdAt })
      await tx.insert(identities).values(before.identity)
      await tx.insert(personalKeys).values(key!)
    })
  await putBack()
  expect(await eraseAgain(runtime, cliActor)).toBe(1)
  expect(await runtime.db.select().from(users)).toMatchObject([{ id: idOf(server, stays.body['user'].id) }])
  expect(await runtime.db.select({ id: erasedUsers.id }).from(erasedUsers)).toEqual([{ id: userId }])
  expect(server.logged()).toContain('erased people again')

  // Somebody else who was given the same number by such a database is nobody who was erased.
  await putBack(new Date(before.user.createdAt.getTime() + 1))
  expect(await eraseAgain(runtime, cliActor)).toBe(0)
  expect((await signInWithTelegram(server, app, person(1))).body['user'].id).toBe(gone.body['user'].id)

  // What is written by another installation, or damaged, says nobody; a file that is gone is written anew from the table.
  writeFileSync(ledgerFile(runtime.config), 'usr_00000000000000000000000000 2026-06-01T12:00:00.000Z x\njunk\n\n')
  expect(await eraseAgain(runtime, cliActor)).toBe(0)
  expect(readFileSync(ledgerFile(runtime.config), 'utf8')).toContain(gone.body['user'].id)
})

test('people from before there were such keys stay readable, and get one', async () => {
  const server = await startServer()
  const { runtime } = server
  const app = await telegramApp(server)
  const login = await signInWithTelegram(server, app)
  const userId = idOf(server, login.body['user'].id)
  const { vault, db } = runtime
  const old = {
    profile: vault.seal('{"name":"Alice Ito","username":"alice_ito","language":"en"}', 'users.profile'),
    subject: vault.seal('279058397', 'identities.subject'),
  }
  await db.transaction(async (tx) => {
    await tx.delete(personalKeys)
    await tx.update(users).set({ profileSealed: old.profile }).where(eq(users.id, userId))
    await tx
      .update(identities)
      .set({ subjectSealed: old.subject, detailsSealed: null, detailsHash: null })
      .where(eq(identities.userId, userId))
  })
  runtime.personalKeys.byTag.clear()
  runtime.personalKeys.byUser.clear()
  expect((await signInWithTelegram(server, app)).body['user']).toMatchObject({
    name: 'Alice Ito',
    username: 'alice_ito',
  })
  expect(keyTag((await held(server, userId)).user.profileSealed!)).toBeUndefined()

  expect((await sweep(runtime)).keyed).toBe(1)
  const after = await held(server, userId)
  expect(
    [after.user.profileSealed, after.identity.subjectSealed, after.identity.detailsSealed].map((one) => !!keyTag(one!)),
  ).toEqual([true, true, true])
  expect((await signInWithTelegram(server, app)).body['user']).toMatchObject({
    id: login.body['user'].id,
    name: 'Alice Ito',
  })
  expect(await keyOldUsers(runtime)).toBe(0)
  expect(await db.select().from(facts).where(eq(facts.key, 'personal_keys_up_to'))).toMatchObject([{ value: 'all' }])
  expect(
    (await call(server, 'PATCH', '/v1/me', { token: login.body['accessToken'], body: { name: 'A' } })).status,
  ).not.toBe(500)
})

if (dialect === 'sqlite')
  test("nothing of who was erased is left in the database's own files", async () => {
    const server = await startServer()
    const { runtime } = server
    const app = await telegramApp(server)
    const logins = []
    for (let n = 1; n <= 30; n++) logins.push(await signInWithTelegram(server, app, person(n)))
    const chosen = logins[12]!
    const userId = idOf(server, chosen.body['user'].id)
    const { user, identity } = await held(server, userId)
    const [key] = await runtime.db.select().from(personalKeys).where(eq(personalKeys.userId, userId))
    const file = runtime.config.databaseUrl.slice('file:'.length)
    const remains = () =>
      [key!.sealed, user.profileSealed!, identity.subjectSealed, identity.subjectHash].map((bytes) =>
        [file, `${file}-wal`].some((name) => existsSync(name) && readFileSync(name).includes(bytes)),
      )
    expect(remains()).toEqual([true, true, true, true])
    await erase(server, chosen.body['accessToken'])
    await sweep(runtime)
    expect(remains()).toEqual([false, false, false, false])
    expect(await signInWithTelegram(server, app, alice)).toMatchObject({ status: 200 })
  })

if (dialect === 'sqlite')
  test('a backup whose keys are kept apart is unreadable for who was erased, and whole for everybody else', async () => {
    const server = await startServer()
    const { runtime } = server
    const url = runtime.config.databaseUrl
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-apart-'))
    const [old, newer, keys, oldKeys] = ['old', 'newer', 'keys', 'old-keys'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
      string,
    ]
    const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 2 } })
    const [gone, stays] = [
      await signInWithTelegram(server, app, person(1)),
      await signInWithTelegram(server, app, person(2)),
    ]
    // Two accounts that become one later: its key has another owner by then, and opens the backup all the same.
    const joined = await signInWithTelegram(server, app, person(3))
    await backupDatabase(url, old, keys)
    copyFileSync(keys, oldKeys)
    expect((await erase(server, gone.body['accessToken'])).status).toBe(204)
    await runtime.db.transaction(async (tx) => {
      await moveKeys(tx, idOf(server, joined.body['user'].id), idOf(server, stays.body['user'].id))
    })
    await signInWithTelegram(server, app, person(4))
    await backupDatabase(url, newer, keys)

    const wrapped = (name: string) =>
      new Sqlite(name, { readonly: true }).prepare('select tag, sealed from personal_keys').all() as {
        tag: Buffer
        sealed: Buffer
      }[]
    const then = wrapped(oldKeys)
    expect([then.length, wrapped(keys).length]).toEqual([3, 3])
    for (const { sealed } of then) expect(readFileSync(old).includes(sealed)).toBe(false)
    expect(wrapped(old).every(({ sealed }) => sealed.length === 0)).toBe(true)
    const newest = new Set(wrapped(keys).map(({ tag }) => tag.toString('hex')))
    expect(then.filter(({ tag }) => newest.has(tag.toString('hex')))).toHaveLength(2)

    const at = new Date()
    const target = `file:${join(folder, 'fresh', 'gatehouse.db')}`
    const never = () => Promise.reject(new Error('must not come so far'))
    await expect(restoreDatabase(target, { backup: old, at }, never)).rejects.toThrow('--keys')
    await expect(restoreDatabase(target, { backup: old, keysFile: join(folder, 'none'), at }, never)).rejects.toThrow(
      '--keys',
    )
    await expect(restoreDatabase(target, { backup: newer, keysFile: oldKeys, at }, never)).rejects.toThrow(
      'older than the backup',
    )
    expect(existsSync(join(folder, 'fresh', 'gatehouse.db'))).toBe(false)

    // On a new machine, with nothing but the backup, the newest keys and the secret key.
    let erased = 0
    await restoreDatabase(target, { backup: old, keysFile: keys, at }, async (databaseUrl, keyless) => {
      const copy = createRuntime({ ...runtime.config, databaseUrl, dataDir: folder, logLevel: 'silent' })
      erased = await eraseKeyless(copy, cliActor, keyless)
      await closeRuntime(copy)
    })
    expect(erased).toBe(1)
    const fresh = await startServer({ databaseUrl: target })
    for (const [n, { body }] of [
      [2, stays],
      [3, joined],
    ] as const) {
      const again = await signInWithTelegram(fresh, app, person(n))
      expect(again.body['user']).toMatchObject({ id: body['user'].id, isNew: false, name: body['user'].name })
    }
    expect((await signInWithTelegram(fresh, app, person(1))).body['user'].isNew).toBe(true)
  })
