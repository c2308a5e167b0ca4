import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, person } from '../support/telegram.ts'

const from = (address: string) => ({ 'x-forwarded-for': address })
const behindProxy = { GATEHOUSE_TRUST_PROXY: '127.0.0.1' }

const signIns = async (
  server: TestServer,
  app: Parameters<typeof signInWithTelegram>[1],
  count: number,
  headers = {},
) => {
  const statuses = []
  for (let at = 0; at < count; at++) statuses.push((await signInWithTelegram(server, app, alice, headers)).status)
  return statuses
}

test('too many tries from one address are 429 with headers that say when to come back', async () => {
  const server = await startServer()
  const app = await telegramApp(server, {
    rateLimits: { signInPerAddress: 3 },
    sessionPolicy: { maxConcurrentSessions: 5 },
  })
  const first = await signInWithTelegram(server, app)
  expect(first.headers.get('ratelimit-policy')).toBe('"default";q=3;w=60')
  expect(first.headers.get('ratelimit')).toMatch(/^"default";r=2;t=(60|59)$/)
  expect(await signIns(server, app, 2)).toEqual([200, 200])

  const refused = await signInWithTelegram(server, app)
  expect([refused.status, refused.body['code']]).toEqual([429, 'rate_limited'])
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const wait = Number(refused.headers.get('retry-after'))
  expect(wait).toBeGreaterThan(0)
  expect(wait).toBeLessThanOrEqual(60)
  expect(refused.headers.get('ratelimit')).toBe(`"default";r=0;t=${wait}`)
  // Nonces and failing tries count the same; another app does not.
  expect((await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })).status).toBe(429)
  const other = await telegramApp(server, { slug: 'other' })
  expect((await signInWithTelegram(server, other)).status).toBe(200)
  // Who is signed in is left alone.
  expect((await checkSession(server, first.body['accessToken'])).status).toBe(200)
})

test('an IPv6 subscriber is one address, IPv4 in IPv6 form is IPv4, and a spoofed header is nobody', async () => {
  const server = await startServer({ env: behindProxy })
  const app = await telegramApp(server, { rateLimits: { signInPerAddress: 2 } })
  expect(await signIns(server, app, 1, from('2001:db8:1:2::1'))).toEqual([200])
  expect(await signIns(server, app, 2, from('2001:db8:1:2:ffff::9'))).toEqual([200, 429])
  expect(await signIns(server, app, 1, from('2001:db8:1:3::1'))).toEqual([200])
  expect(await signIns(server, app, 2, from('203.0.113.7'))).toEqual([200, 200])
  expect(await signIns(server, app, 1, from('::ffff:203.0.113.7'))).toEqual([429])
  for (let at = 0; at < 3; at++) expect(await signIns(server, app, 1, from(`9.9.9.${at}, 203.0.113.7`))).toEqual([429])

  const bare = await startServer()
  const alone = await telegramApp(bare, { rateLimits: { signInPerAddress: 2 } })
  const statuses = []
  for (let at = 0; at < 4; at++) statuses.push(...(await signIns(bare, alone, 1, from(`9.9.9.${at}`))))
  expect(statuses).toEqual([200, 200, 429, 429])
})

test('a person has a limit of their own, from wherever they sign in', async () => {
  const server = await startServer({ env: behindProxy })
  const app = await telegramApp(server, { rateLimits: { signInPerAccount: 2 } })
  for (const [address, status] of [
    ['198.51.100.1', 200],
    ['198.51.100.2', 200],
    ['198.51.100.3', 429],
  ] as const)
    expect((await signInWithTelegram(server, app, alice, from(address))).status).toBe(status)
  expect((await signInWithTelegram(server, app, person(2), from('198.51.100.1'))).status).toBe(200)
})

test('one address cannot use up the sign-ins of the whole app', async () => {
  const server = await startServer({ env: behindProxy })
  const app = await telegramApp(server, { rateLimits: { signInPerAddress: 2, signInPerApp: 5 } })
  await signIns(server, app, 20, from('198.51.100.1'))
  expect(await signIns(server, app, 3, from('198.51.100.2'))).toEqual([200, 200, 429])
  expect(await signIns(server, app, 2, from('198.51.100.3'))).toEqual([200, 429])
})

test('calls with a token have their limit as well', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { rateLimits: { callsPerAddress: 3 } })
  const { accessToken } = (await signInWithTelegram(server, app)).body as { accessToken: string }
  const statuses = []
  for (let at = 0; at < 5; at++) statuses.push((await checkSession(server, accessToken)).status)
  expect(statuses).toEqual([200, 200, 200, 429, 429])
})

// Only PostgreSQL has other processes to share with.
if (dialect === 'postgresql') {
  test('two servers on PostgreSQL count together', async () => {
    const { one, two } = await startPair()
    const app = await telegramApp(one, { rateLimits: { signInPerAddress: 10 } })
    const statuses = []
    for (let at = 0; at < 8; at++) for (const server of [one, two]) statuses.push(...(await signIns(server, app, 1)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(10)
    expect(statuses.slice(10)).toEqual(Array(6).fill(429))
  })
}

test('a call that is refused counts too, wherever it comes in', async () => {
  const server = await startServer()
  await telegramApp(server, { slug: 'quest' })
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const token = `gh_op_${'A'.repeat(64)}`
  const calls: [string, string, Parameters<typeof call>[3], number][] = [
    ['GET', '/v1/session', { token: 'x.y.z' }, 401],
    ['GET', '/v1/me', {}, 401],
    ['POST', '/v1/logout', { token: 'gh_at_x' }, 401],
    ['POST', '/v1/token/refresh', { body: { refreshToken: 'gh_rt_x' } }, 401],
    ['POST', '/oauth/introspect', { token: 'gh_sk_x', headers: form, body: 'token=x' }, 401],
    ['POST', '/oauth/revoke', { headers: form, body: 'token=x' }, 401],
    ['POST', '/oauth/token', { token: 'gh_sk_x', headers: form, body: 'grant_type=refresh_token' }, 401],
    ['GET', '/sso/tokeninfo', { token: 'x' }, 401],
    ['POST', '/v1/apps/quest/events', { token: 'gh_sk_x', body: {} }, 401],
    ['GET', '/v1/apps/quest/events/evt_x', { token: 'gh_sk_x' }, 401],
    ['GET', '/api/v1/apps', { token }, 401],
    ['GET', '/trpc/apps.list', { token }, 401],
    ['GET', '/preview/x', {}, 404],
    ['GET', '/mails/stop/x', {}, 404],
  ]
  const open = await Promise.all(calls.map(([method, path, options]) => call(server, method, path, options)))
  expect(open.map(({ status }, at) => [calls[at]![1], status])).toEqual(
    calls.map(([, path, , status]) => [path, status]),
  )
  // What an address has in a minute, used up.
  const spend = async () => {
    for (let at = 0; at <= 60_000; at++) await server.runtime.limits.call('127.0.0.1', 60_000)
  }
  await expect(spend()).rejects.toMatchObject({ code: 'rate_limited' })
  for (const [method, path, options] of calls) {
    const answer = await call(server, method, path, options)
    expect([path, answer.status]).toEqual([path, 429])
    expect(answer.headers.get('retry-after'), path).toMatch(/^\d+$/)
  }
})

test('switched off, no limit holds and no header speaks of one', async () => {
  const server = await startServer({ env: { GATEHOUSE_RATE_LIMITS: 'off' } })
  const app = await telegramApp(server, {
    rateLimits: { signInPerAddress: 1, signInPerApp: 1, signInPerAccount: 1, callsPerAddress: 1 },
  })
  expect(await signIns(server, app, 5)).toEqual(Array(5).fill(200))
  expect((await signInWithTelegram(server, app)).headers.get('ratelimit')).toBeNull()
})
