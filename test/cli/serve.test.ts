import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { emptyDatabase, freshDatabase } from '../support/database.ts'
import { environment, gatehouse, startServing, type Environment } from '../support/process.ts'
import { call } from '../support/server.ts'
import { botToken, initData, person } from '../support/telegram.ts'

const app = JSON.stringify({ apps: [{ slug: 'quest', name: 'Quest', telegram: { botToken } }] })
const loginPath = '/v1/apps/quest/telegram/login'

async function withApp(more: Environment = {}): Promise<Environment> {
  const env = environment(await freshDatabase(), more)
  expect((await gatehouse(env, ['apply', '-f', '-'], app)).code).toBe(0)
  return env
}

test('four migrations of one new database at once all succeed, and one of them does the work', async () => {
  const env = environment(await emptyDatabase())
  const runs = await Promise.all(Array.from({ length: 4 }, () => gatehouse(env, ['migrate', '--json'])))
  expect(runs.map(({ code, stderr }) => [code, stderr])).toEqual(Array(4).fill([0, '']))
  expect(runs.map(({ json }) => json().applied > 0).filter(Boolean)).toHaveLength(1)
})

test('two first starts at once on one database both come up, with one secret key and one signing key', async () => {
  const env = environment(await emptyDatabase())
  const [one, two] = await Promise.all([startServing(env), startServing(env)])
  const jwks = await Promise.all([one, two].map((server) => call(server, 'GET', '/.well-known/jwks.json')))
  expect(jwks[0]!.body).toEqual(jwks[1]!.body)
  expect(jwks[0]!.body['keys']).toHaveLength(2)
  for (const server of [one, two]) expect((await call(server, 'GET', '/readyz')).status).toBe(200)
  expect(await Promise.all([one.end('SIGTERM'), two.end('SIGTERM')])).toEqual([0, 0])
})

test('a start without a public URL names the port it got, and offers a set-up link until there is an operator', async () => {
  const { GATEHOUSE_PUBLIC_URL: _, ...env } = environment(await freshDatabase())
  const first = await startServing(env)
  const address = first.url.replace('127.0.0.1', 'localhost')
  expect(first.printed()).toContain(`${address}/console\n`)
  expect(first.printed()).toMatch(new RegExp(`${address}/console/setup\\?token=[\\w-]{43}\\n`))
  const metadata = await call(first, 'GET', '/.well-known/openid-configuration')
  expect(metadata.body['issuer']).toBe(address)
  expect(await first.end('SIGINT')).toBe(0)

  const create = ['operator', 'create', '--email', 'ada@example.com', '--role', 'owner', '--password-stdin']
  await gatehouse(env, create, 'a long enough password')
  expect((await startServing(env)).printed()).not.toContain('setup')
})

test('a start says which networks were opened, and which of the settings are hardly meant', async () => {
  const more = {
    GATEHOUSE_ALLOW_NETWORKS: '10.20.0.0/16 127.0.0.0/8',
    GATEHOUSE_TRUST_PROXY: '0.0.0.0/0',
    LOG_LEVEL: 'info',
  }
  const server = await startServing(environment(await freshDatabase(), more))
  await call(server, 'GET', '/healthz')
  const said = server.printed()
  expect(said).toContain('"networks":["10.20.0.0/16","127.0.0.0/8"]')
  expect(
    said.match(/"level":40,[^\n]*"msg":"GATEHOUSE_\w+/g)?.map((line) => line.slice(line.indexOf('GATEHOUSE_'))),
  ).toEqual(['GATEHOUSE_TRUST_PROXY', 'GATEHOUSE_ALLOW_NETWORKS'])
  expect(await server.end('SIGTERM')).toBe(0)
})

test('SIGTERM lets a request in flight finish, asks clients to go, and exits 0', async () => {
  const env = await withApp()
  const server = await startServing(env)
  const keptAlive = new Agent({ keepAlive: true, maxSockets: 1 })
  expect(await get(`${server.url}/readyz`, keptAlive)).toMatchObject({ status: 200 })

  const body = JSON.stringify({ initData: initData(person(1), new Date()) })
  const login = request(server.url + loginPath, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  })
  const answered = once(login, 'response') as Promise<[IncomingMessage]>
  login.write(body.slice(0, 20))
  await wait(100)

  const ended = server.end('SIGTERM')
  await wait(100)
  // A request on a connection that was open is answered, no longer ready, and told to close.
  const goodbye = await get(`${server.url}/readyz`, keptAlive)
  expect(goodbye).toEqual({ status: 503, connection: 'close' })
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  login.end(body.slice(20))
  const [response] = await answered
  expect(response.statusCode).toBe(200)
  response.resume()
  expect(await ended).toBe(0)
  expect(server.printed().trimEnd().split('\n').at(-1)).toContain('"msg":"stopped"')
})

test('a second signal ends it at once with exit code 1', async () => {
  const server = await startServing(await withApp())
  const hanging = request(server.url + loginPath, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 100 },
  }).on('error', () => {})
  hanging.write('{')
  await wait(100)
  void server.end('SIGTERM')
  await wait(100)
  expect(await server.end('SIGTERM')).toBe(1)
})

test('a port in use, an unreachable database and a newer one are one line each', async () => {
  const env = await withApp()
  const server = await startServing(env)
  const oneLine = async (environment: Environment, words: RegExp) => {
    const { code, stdout, stderr } = await gatehouse(environment, ['serve'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^gatehouse: [^\n]+\n$/)
    expect(stderr).toMatch(words)
    expect(stderr).not.toContain('hunter2')
  }
  await oneLine({ ...env, PORT: new URL(server.url).port }, /in use/)
  await oneLine({ ...env, DATABASE_URL: 'postgres://x:hunter2@127.0.0.1:9/x' }, /cannot be reached/)
  await server.end('SIGTERM')
  await writtenByNewer(env['DATABASE_URL']!)
  await oneLine(env, /newer Gatehouse/)
  if (dialect === 'postgresql') return
  const text = join(env['GATEHOUSE_DATA_DIR']!, 'notes.txt')
  writeFileSync(text, 'Not a database, but long enough for one. '.repeat(100))
  await oneLine({ ...env, DATABASE_URL: `file:${text}` }, /not an SQLite database/)
})

test('a folder in the place of the database, and one that cannot be made, are bad settings', async () => {
  const env = environment(await freshDatabase())
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-place-'))
  const bad = { DATABASE_URL: `file:${folder}`, GATEHOUSE_DATA_DIR: '/proc/gatehouse' }
  for (const [name, value] of Object.entries(bad)) {
    const { GATEHOUSE_SECRET_KEY: _, ...rest } = env
    const { code, stderr } = await gatehouse({ ...rest, [name]: value }, ['serve'])
    expect([name, code, stderr]).toEqual([
      name,
      2,
      expect.stringMatching(new RegExp(`^gatehouse: ${name} [^\\n]+; for example ${name}=[^\\n]+\\n$`)),
    ])
  }
})

test('kill -9 in a storm of logins loses no login that was acknowledged', async () => {
  const env = await withApp({ GATEHOUSE_RATE_LIMITS: 'off', LOG_LEVEL: 'info' })
  const server = await startServing(env)
  const tokens: string[] = []
  let next = 1
  const storm = async () => {
    for (;;) {
      const answer = await call(server, 'POST', loginPath, {
        body: { initData: initData(person(next++), new Date()) },
      }).catch(() => undefined)
      if (!answer) return
      expect(answer.status).toBe(200)
      tokens.push(answer.body['accessToken'] as string)
      if (tokens.length === 200) void server.end('SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: 16 }, storm))
  expect(await server.ended).toBe(null)
  expect(tokens.length).toBeGreaterThanOrEqual(200)

  const again = await startServing(env)
  const checks = await Promise.all(tokens.map((token) => call(again, 'GET', '/v1/session', { token })))
  expect(checks.filter(({ status }) => status !== 200)).toEqual([])
})

async function get(url: string, agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  const [response] = (await once(request(url, { agent }).end(), 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return { status: response.statusCode, connection: response.headers.connection }
}

/** As if the last migration had come from a version that is not out yet. */
async function writtenByNewer(databaseUrl: string): Promise<void> {
  const later = 'set created_at = created_at + 1000000000000'
  if (dialect === 'sqlite') {
    const file = new Sqlite(databaseUrl.slice('file:'.length))
    file.exec(`update __drizzle_migrations ${later}`)
    file.close()
    return
  }
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(`update drizzle.__drizzle_migrations ${later}`)
  await client.end()
}
