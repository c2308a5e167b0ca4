import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { freshDatabase } from '../support/database.ts'
import { call, startServer, type Answer } from '../support/server.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

/** What a client has to be told to come back rather than to give up. */
function expectUnavailable(answer: Answer): void {
  expect([answer.status, answer.body['code']]).toEqual([503, 'unavailable'])
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(JSON.stringify(answer.body)).not.toMatch(/terminat|connect|postgres|select |pool/i)
}

async function signedIn(databaseUrl: string) {
  const server = await startServer({ databaseUrl })
  const app = await telegramApp(server)
  const operator = await operatorToken(server)
  const { body } = await signInWithTelegram(server, app)
  const key = await call(server, 'POST', `/api/v1/apps/${app.publicId}/api-keys`, {
    token: operator,
    body: { name: 'server', scopes: ['tokens:introspect'] },
  })
  const plainReads = () => [
    checkSession(server, body['accessToken'] as string),
    call(server, 'GET', '/v1/me/sessions', { token: body['accessToken'] as string }),
    call(server, 'GET', '/api/v1/sessions', { headers: bearer(operator) }),
    call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} }),
    signInWithTelegram(server, app),
    call(server, 'POST', `/v1/apps/${app.slug}/graphql`, {
      body: { query: '{ profile(handle: "alice") { id } }' },
    }).then(({ body, ...answer }) => ({ ...answer, body: { ...body['errors']?.[0]?.extensions } })),
  ]
  const introspect = () =>
    fetch(`${server.url}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key.body['key']}` },
      body: new URLSearchParams({ token: body['accessToken'] as string }),
    })
  return { server, app, token: body['accessToken'] as string, plainReads, introspect }
}

if (dialect === 'postgresql')
  test('with no connection left plain reads answer 503 as writes do, and go on once there is one', async () => {
    const { server, token, plainReads, introspect } = await signedIn(await freshDatabase())
    const pool = server.runtime.db.shared as pg.Pool
    const held = await Promise.all(Array.from({ length: 16 }, () => pool.connect()))
    const [refused, asked] = await Promise.all([Promise.all(plainReads()), introspect()])
    for (const answer of refused) expectUnavailable(answer)
    expect(asked.status).toBe(503)
    expect(await asked.json()).toMatchObject({ error: 'temporarily_unavailable' })
    for (const client of held) client.release()
    expect((await checkSession(server, token)).status).toBe(200)
  })

if (dialect === 'postgresql')
  test('a database that is restarted costs 503 while it is away, and nothing after', async () => {
    const databaseUrl = await freshDatabase()
    const { server, token, plainReads } = await signedIn(databaseUrl)
    const name = new URL(databaseUrl).pathname.slice(1)
    const elsewhere = new URL(databaseUrl)
    elsewhere.pathname = '/postgres'
    const admin = new pg.Client({ connectionString: elsewhere.toString() })
    await admin.connect()
    // Somebody is between two statements at that moment; nobody is asking, so nobody is there to hear of it.
    const between = await (server.runtime.db.shared as pg.Pool).connect()
    const lost = new Promise<void>((resolve) => between.once('end', () => resolve()))
    try {
      await admin.query(`alter database ${name} allow_connections false`)
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
      await lost
      between.release(true)
      for (const answer of await Promise.all(plainReads())) expectUnavailable(answer)
      expect((await call(server, 'GET', '/readyz')).status).toBe(503)
      await admin.query(`alter database ${name} allow_connections true`)
      for (const answer of await Promise.all(plainReads())) expect(answer.status).toBeLessThan(300)
      expect((await checkSession(server, token)).body['code']).toBe('session_revoked')
      expect((await call(server, 'GET', '/readyz')).status).toBe(200)
    } finally {
      await admin.end()
    }
  })

if (dialect === 'sqlite')
  test('a lock that another process keeps is waited for, then 503; reads and the loop go on meanwhile', async () => {
    const databaseUrl = await freshDatabase()
    const { server, app, token } = await signedIn(databaseUrl)
    const other = new Sqlite(databaseUrl.slice('file:'.length))
    other.exec('begin immediate')
    const login = signInWithTelegram(server, app)
    const laps: number[] = []
    for (let lap = 0; lap < 20; lap++) {
      const began = performance.now()
      expect((await checkSession(server, token)).status).toBe(200)
      laps.push(performance.now() - began)
    }
    // Waiting is done outside the driver, which would stop everything for as long as it waits.
    expect(laps.sort((a, b) => a - b)[10]).toBeLessThan(1_000)
    expectUnavailable(await login)
    // What could not be written is not said to be done: the session lives on until it is.
    const logout = call(server, 'POST', '/v1/logout', { token })
    expectUnavailable(await logout)
    expect((await checkSession(server, token)).status).toBe(200)
    const short = signInWithTelegram(server, app)
    expect((await checkSession(server, token)).status).toBe(200)
    other.exec('commit')
    other.close()
    expect((await short).status).toBe(200)
  })
