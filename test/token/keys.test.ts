import { decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import { operatorToken } from '../support/operator.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { person } from '../support/telegram.ts'

type Key = {
  kid: string
  state: string
  heardAt: string | null
  liveTokens: { count: number; capped: boolean; lastExpiresAt: string | null }
}

async function managed(server: TestServer) {
  const token = await operatorToken(server)
  return {
    token,
    keys: async () => (await call(server, 'GET', '/api/v1/keys', { token })).body['items'] as Key[],
    rotate: (body: object = {}) => call(server, 'POST', '/api/v1/keys', { token, body }),
    remove: (kid: string, by = token) => call(server, 'DELETE', `/api/v1/keys/${kid}`, { token: by }),
  }
}

const live = (keys: Key[]) => Object.fromEntries(keys.map(({ state, liveTokens }) => [state, liveTokens]))
const none = { count: 0, capped: false, lastExpiresAt: null }

test('each key says how many sessions hold a live token that it signed, and when the last expires', async () => {
  const server = await startServer()
  const { keys, rotate } = await managed(server)
  const app = await telegramApp(server)
  const brief = await telegramApp(server, { slug: 'brief', sessionPolicy: { accessTokenTtl: 600 } })
  const opaque = await telegramApp(server, { slug: 'opaque', sessionPolicy: { accessTokenFormat: 'opaque' } })
  const at = (seconds: number) => new Date(server.clock.now.getTime() + seconds * 1000).toISOString()
  expect(live(await keys())).toEqual({ active: none, next: none })

  const one = await signInWithTelegram(server, app, person(1))
  await signInWithTelegram(server, app, person(2))
  await signInWithTelegram(server, brief, person(3))
  await signInWithTelegram(server, opaque, person(4))
  expect(live(await keys())).toEqual({ active: { count: 3, capped: false, lastExpiresAt: at(1800) }, next: none })

  server.clock.pass(599)
  expect(live(await keys())['active']!.count).toBe(3)
  server.clock.pass(1)
  // The token of the brief app has just expired.
  expect(live(await keys())['active']).toEqual({ count: 2, capped: false, lastExpiresAt: at(1200) })

  expect((await rotate()).status).toBe(200)
  expect(live(await keys())).toEqual({
    active: none,
    next: none,
    retired: { count: 2, capped: false, lastExpiresAt: at(1200) },
  })
  // Whoever refreshes or signs in holds a token of the new key.
  server.clock.pass(60)
  const { refreshToken } = one.body as { refreshToken: string }
  const refreshed = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken } })
  expect(refreshed.status).toBe(200)
  await signInWithTelegram(server, app, person(5))
  const now = live(await keys())
  expect(now['active']).toEqual({ count: 2, capped: false, lastExpiresAt: at(1800) })
  expect(now['retired']).toEqual({ count: 1, capped: false, lastExpiresAt: at(1140) })

  await call(server, 'POST', '/v1/logout', { token: refreshed.body['accessToken'] })
  expect(live(await keys())['active']!.count).toBe(1)
  server.clock.pass(1140)
  expect(live(await keys())['retired']).toEqual(none)
})

test('an operator of some apps sees the tokens of these only', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const other = await telegramApp(server, { slug: 'other' })
  await signInWithTelegram(server, app, person(1))
  for (const n of [1, 2]) await signInWithTelegram(server, other, person(n))
  const token = await operatorToken(server, 'admin', 'some@example.com', [app.id])
  const { items } = (await call(server, 'GET', '/api/v1/keys', { token })).body as { items: Key[] }
  expect(live(items)['active']!.count).toBe(1)
})

test('a rotation says when verifiers may not know the key that signs from now on', async () => {
  const server = await startServer()
  const { keys, rotate, token } = await managed(server)
  // The first next key stood in the first key set there was.
  expect((await keys()).find(({ state }) => state === 'next')!.heardAt).toBeNull()
  server.clock.pass(60)
  const first = await rotate()
  expect([first.status, first.body['warning']]).toEqual([200, null])

  const heardAt = new Date(server.clock.now.getTime() + 310_000).toISOString()
  const next = (await keys()).find(({ state }) => state === 'next')!
  expect(next.heardAt).toBe(heardAt)
  const empty = await rotate({ reason: ' ' })
  expect([empty.status, empty.body['errors']]).toEqual([400, [expect.objectContaining({ path: 'reason' })]])
  const early = await rotate({ reason: 'the key leaked' })
  expect([early.status, early.body['active']]).toEqual([200, next.kid])
  expect(early.body['warning']).toContain(heardAt)
  const audit = await call(server, 'GET', '/api/v1/audit?action=key.rotate', { token })
  expect(audit.body['items'][0].after).toEqual({ active: next.kid, reason: 'the key leaked' })

  server.clock.pass(310)
  expect((await rotate()).body['warning']).toBeNull()
  server.clock.pass(309)
  expect((await rotate()).body['warning']).not.toBeNull()
  expect((await call(server, 'GET', '/.well-known/jwks.json')).headers.get('cache-control')).toBe('public, max-age=300')
})

test('a retired key can be deleted: its tokens are refused on the next call, their sessions live on', async () => {
  const server = await startServer()
  const { keys, rotate, remove, token } = await managed(server)
  const app = await telegramApp(server)
  const { body } = await signInWithTelegram(server, app)
  const { kid } = decodeProtectedHeader(body['accessToken']) as { kid: string }
  // Verified once and remembered.
  expect((await checkSession(server, body['accessToken'])).status).toBe(200)

  const active = await remove(kid)
  expect([active.status, active.body['code']]).toEqual([409, 'conflict'])
  const next = (await keys()).find(({ state }) => state === 'next')!
  expect((await remove(next.kid)).status).toBe(409)
  expect((await remove('nothing')).status).toBe(404)

  server.clock.pass(60)
  await rotate()
  expect((await checkSession(server, body['accessToken'])).status).toBe(200)
  const admin = await operatorToken(server, 'admin')
  expect((await remove(kid, admin)).status).toBe(403)
  const removed = await remove(kid)
  expect([removed.status, removed.body]).toEqual([
    200,
    { stopped: { count: 1, capped: false, lastExpiresAt: expect.any(String) } },
  ])

  const refused = await checkSession(server, body['accessToken'])
  expect([refused.status, refused.body['code']]).toEqual([401, 'token_invalid'])
  const set = (await call(server, 'GET', '/.well-known/jwks.json')).body['keys'] as { kid: string }[]
  expect(set.map((key) => key.kid)).not.toContain(kid)
  const { refreshToken } = body as { refreshToken: string }
  const refreshed = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken } })
  expect((await checkSession(server, refreshed.body['accessToken'])).status).toBe(200)
  const audit = await call(server, 'GET', '/api/v1/audit?action=key.delete', { token })
  expect(audit.body['items'][0].before).toMatchObject({ kid, liveTokens: 1 })
  expect((await remove(kid)).status).toBe(404)
})

test('another process takes no token of a deleted key either, once it has looked', async () => {
  const { one, two } = await startPair()
  const { rotate, remove } = await managed(one)
  const app = await telegramApp(one)
  const { accessToken } = (await signInWithTelegram(one, app)).body as { accessToken: string }
  expect((await checkSession(two, accessToken)).status).toBe(200)
  await rotate()
  await remove(decodeProtectedHeader(accessToken).kid!)
  await two.runtime.keys.reload()
  expect((await checkSession(two, accessToken)).status).toBe(401)
})
