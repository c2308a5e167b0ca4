import { copyFileSync, existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { emptyDatabase } from '../support/database.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { call } from '../support/server.ts'
import { botToken, initData, person } from '../support/telegram.ts'

const app = JSON.stringify({ apps: [{ slug: 'quest', name: 'Quest', telegram: { botToken } }] })

if (dialect === 'postgresql')
  test('on PostgreSQL, backup and restore name its own tools', async () => {
    const env = environment(await emptyDatabase())
    const backup = await gatehouse(env, ['backup', '/tmp/never-made'])
    expect([backup.code, backup.stderr]).toEqual([1, expect.stringContaining('pg_dump')])
    const restore = await gatehouse(env, ['restore', '/tmp/never-made'])
    expect([restore.code, restore.stderr]).toEqual([1, expect.stringContaining('pg_restore')])
  })

if (dialect === 'sqlite')
  test('what was revoked after a backup stays revoked after restoring it', async () => {
    const env = environment(await emptyDatabase())
    const folder = dirname(env['DATABASE_URL']!.slice('file:'.length))
    const file = join(folder, 'backup.db')
    await gatehouse(env, ['apply', '-f', '-'], app)
    let server = await startServing(env)
    const login = async (id: number) => {
      const body = { initData: initData(person(id), new Date()) }
      return (await call(server, 'POST', '/v1/apps/quest/telegram/login', { body })).body
    }
    const [revoked, live] = [await login(1), await login(2)]
    // While the server runs.
    const made = await gatehouse(env, ['backup', file, '--json'])
    expect([made.code, made.json()]).toEqual([0, { file, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect((await gatehouse(env, ['backup', file])).stderr).toContain('exists already')

    await call(server, 'POST', '/v1/logout', { token: revoked['accessToken'] })
    const later = await login(3)
    const held = await gatehouse(env, ['restore', file])
    expect([held.code, held.stderr]).toEqual([1, expect.stringContaining('A server is using this database')])
    expect((await call(server, 'GET', '/v1/session', { token: live['accessToken'] })).status).toBe(200)
    await server.end('SIGTERM')

    const restored = await gatehouse(env, ['restore', file, '--json'])
    expect([restored.code, restored.stderr]).toEqual([0, ''])
    expect(restored.json()).toMatchObject({ restored: file, sessionsEnded: 2 })
    expect(existsSync(restored.json().previous)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.includes('restoring') || name.includes('part'))).toEqual([])

    server = await startServing(env)
    // Rows made since the backup had numbers; whoever signs in now must not get them, or an old token would be theirs.
    const newcomers = await Promise.all([4, 5, 6, 7].map(login))
    for (const old of [revoked, live, later]) {
      const access = await call(server, 'GET', '/v1/session', { token: old['accessToken'] })
      expect([access.status, access.body['code']]).toEqual([401, 'session_revoked'])
      const refresh = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: old['refreshToken'] } })
      expect(refresh.status).toBe(401)
    }
    const ids = newcomers.map(({ user }) => user.id as string)
    expect(ids).not.toContain(later['user'].id)
    expect((await gatehouse(env, ['doctor'])).code).toBe(0)
  })

if (dialect === 'sqlite')
  test('what is no backup is refused and changes nothing', async () => {
    const env = environment(await emptyDatabase())
    await gatehouse(env, ['apply', '-f', '-'], app)
    const before = (await gatehouse(env, ['export'])).stdout
    const folder = dirname(env['DATABASE_URL']!.slice('file:'.length))
    const junk = join(folder, 'junk')
    writeFileSync(junk, 'no database at all, but long enough to be read as the header of one, is it not?'.repeat(20))
    for (const file of [junk, join(folder, 'missing')]) {
      const { code, stderr } = await gatehouse(env, ['restore', file])
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^gatehouse: [^\n]+\n$/)])
    }
    const file = join(folder, 'backup.db')
    await gatehouse(env, ['backup', file])
    const foreign = await gatehouse({ ...env, GATEHOUSE_SECRET_KEY: Buffer.alloc(32, 5).toString('base64') }, [
      'restore',
      file,
    ])
    expect([foreign.code, foreign.stderr]).toEqual([2, expect.stringContaining('GATEHOUSE_SECRET_KEY')])
    expect((await gatehouse(env, ['export'])).stdout).toBe(before)
  })

if (dialect === 'sqlite')
  test('a database file that lost its content is not taken for a new one', async () => {
    const env = environment(await emptyDatabase())
    await gatehouse(env, ['apply', '-f', '-'], app)
    const file = env['DATABASE_URL']!.slice('file:'.length)
    for (const end of ['-wal', '-shm']) rmSync(file + end, { force: true })
    truncateSync(file, 0)
    for (const command of [['serve'], ['apply', '-f', '-'], ['migrate']]) {
      const { code, stdout, stderr } = await gatehouse(env, command, app)
      expect([command, code, stdout]).toEqual([command, 1, ''])
      expect(stderr).toMatch(/^gatehouse: .+ is empty, but .+ restore a backup .+\n$/)
    }
    expect(statSync(file).size).toBe(0)
    rmSync(file)
    expect((await gatehouse(env, ['migrate'])).code).toBe(0)
  })

if (dialect === 'sqlite')
  test('who was erased after a backup is erased again by restoring it, and the app is told', async () => {
    const env = environment(await emptyDatabase())
    const database = env['DATABASE_URL']!.slice('file:'.length)
    const file = join(dirname(database), 'backup.db')
    await gatehouse(env, ['apply', '-f', '-'], app)
    let server = await startServing(env)
    const login = async (id: number) => {
      const body = { initData: initData(person(id), new Date()) }
      return (await call(server, 'POST', '/v1/apps/quest/telegram/login', { body })).body
    }
    const [first, second, stays] = [await login(1), await login(2), await login(3)]
    await gatehouse(env, ['backup', file])
    expect((await call(server, 'DELETE', '/v1/me', { token: first['accessToken'] })).status).toBe(204)
    await server.end('SIGTERM')

    // Also where the file beside the database is lost: the database that is replaced knows it too.
    rmSync(join(env['GATEHOUSE_DATA_DIR']!, 'erased.txt'))
    const restored = await gatehouse(env, ['restore', file, '--json'])
    expect([restored.code, restored.json()]).toMatchObject([0, { erasedAgain: 1 }])
    server = await startServing(env)
    expect((await login(1))['user'].id).not.toBe(first['user'].id)
    expect((await login(3))['user'].id).toBe(stays['user'].id)
    const later = await login(2)
    expect((await call(server, 'DELETE', '/v1/me', { token: later['accessToken'] })).status).toBe(204)
    await server.end('SIGTERM')

    // Put back by hand, without a word to us: the next start sees to it.
    for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true })
    copyFileSync(file, database)
    server = await startServing(env)
    expect(server.printed()).toContain('erased people again')
    expect((await login(1))['user'].isNew).toBe(true)
    expect((await login(2))['user'].id).not.toBe(second['user'].id)
    expect((await login(3))['user'].id).toBe(stays['user'].id)
  })

if (dialect === 'sqlite')
  test('a backup made with --keys is restored with them, and not without', async () => {
    const env = environment(await emptyDatabase())
    const folder = dirname(env['DATABASE_URL']!.slice('file:'.length))
    const [file, keys] = [join(folder, 'backup.db'), join(folder, 'people.keys')]
    await gatehouse(env, ['apply', '-f', '-'], app)
    const made = await gatehouse(env, ['backup', file, '--keys', keys])
    expect([made.code, made.stdout]).toEqual([0, expect.stringContaining('keep only the newest')])
    expect(statSync(keys).mode & 0o777).toBe(0o600)
    const refused = await gatehouse(env, ['restore', file])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--keys')])
    const restored = await gatehouse(env, ['restore', file, '--keys', keys, '--json'])
    expect([restored.code, restored.json()]).toMatchObject([0, { restored: file, erasedAgain: 0 }])
  })
