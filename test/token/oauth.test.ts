import * as client from 'openid-client'
import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newApiKey, oauth } from '../support/apiKey.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
})

async function setUp(input: Parameters<typeof telegramApp>[1] = {}, env: Record<string, string> = {}) {
  const server = await startServer({ env })
  const app = await telegramApp(server, input)
  const key = await newApiKey(server, app)
  const login = (await signInWithTelegram(server, app)).body
  const [access, refresh] = [login['accessToken'] as string, login['refreshToken'] as string]
  return { server, app, key, login, access, refresh }
}

const introspect = (server: TestServer, key: string, token: string) =>
  oauth(server, '/oauth/introspect', { token }, { key })

describe('introspection', () => {
  test('says what a live token is worth, and of a dead one only that it is dead', async () => {
    const { server, app, key, login, access, refresh } = await setUp({ audiences: ['quest-api'] })
    const now = server.clock.now.getTime() / 1000
    server.clock.pass(10)
    const second = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: refresh } })
    const common = {
      active: true,
      iss: 'http://localhost:3000',
      sub: login['user'].id,
      aud: 'quest-api',
      client_id: app.publicId,
      sid: login['session'].id,
      auth_method: 'telegram',
    }
    const first = await introspect(server, key, access)
    expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const jwt = { ...common, token_type: 'Bearer', jti: expect.any(String) }
    expect(first.body).toEqual({ ...jwt, iat: now, exp: now + 1800 })
    const refreshed = await introspect(server, key, second.body['accessToken'])
    expect(refreshed.body).toEqual({ ...jwt, iat: now + 10, exp: now + 1810 })
    const body = (await introspect(server, key, refresh)).body
    expect(body).toEqual({ ...common, token_type: 'refresh_token', iat: now, exp: now + 604_800 })

    await call(server, 'POST', '/v1/logout', { token: access })
    for (const token of [access, refresh, second.body['accessToken'] as string])
      expect((await introspect(server, key, token)).text).toBe('{"active":false}')
  })

  test('is inactive at once after eviction, on every server', async () => {
    const { one, two } = await startPair()
    const app = await telegramApp(one)
    const key = await newApiKey(one, app)
    const login = (await signInWithTelegram(one, app)).body
    expect((await introspect(two, key, login['accessToken'])).body['active']).toBe(true)
    await signInWithTelegram(one, app)
    for (const server of [one, two])
      for (const token of [login['accessToken'], login['refreshToken']])
        expect((await introspect(server, key, token as string)).text).toBe('{"active":false}')
  })

  test("of another app's token, of rubbish and of an expired token tells nothing", async () => {
    const { server, key, access, refresh } = await setUp()
    const other = await telegramApp(server, { slug: 'other' })
    const otherKey = await newApiKey(server, other)
    for (const token of [
      access,
      refresh,
      key,
      otherKey,
      'x',
      'a.b.c',
      ' ',
      '\0',
      access.slice(0, -1),
      `${access}=`,
      'x'.repeat(20_000),
    ])
      expect((await introspect(server, otherKey, token)).text).toBe('{"active":false}')
    server.clock.pass(1800)
    expect((await introspect(server, key, access)).text).toBe('{"active":false}')
  })

  test('is no activity', async () => {
    const { server, key, access } = await setUp({ sessionPolicy: { idleTimeout: 100 } })
    server.clock.pass(99)
    expect((await introspect(server, key, access)).body['active']).toBe(true)
    server.clock.pass(1)
    expect((await introspect(server, key, access)).text).toBe('{"active":false}')
    expect((await checkSession(server, access)).body['reason']).toBe('idle_timeout')
  })
})

describe('revocation', () => {
  test.each(['access', 'refresh'] as const)('of the %s token ends the session', async (kind) => {
    const set = await setUp()
    const { server, key, access } = set
    const answer = await oauth(server, '/oauth/revoke', { token: set[kind], token_type_hint: 'nonsense' }, { key })
    expect([answer.status, answer.text, answer.headers.get('cache-control')]).toEqual([200, '', 'no-store'])
    expect((await checkSession(server, access)).body).toMatchObject({
      code: 'session_revoked',
      reason: 'revoked_by_app',
    })
    expect((await oauth(server, '/oauth/revoke', { token: set[kind] }, { key })).status).toBe(200)
  })

  test('of what is not ours, or not yours, is 200 and changes nothing', async () => {
    const { server, access, refresh } = await setUp()
    const otherKey = await newApiKey(server, await telegramApp(server, { slug: 'other' }))
    for (const token of [access, refresh, 'x', 'gh_rt_x', 'a.b.c'])
      expect((await oauth(server, '/oauth/revoke', { token }, { key: otherKey })).status).toBe(200)
    expect((await checkSession(server, access)).status).toBe(200)
  })
})

describe('who may ask', () => {
  test('a server with its key, as bearer, Basic or in the body', async () => {
    const { server, app, key, access } = await setUp()
    const form = { token: access }
    const ways = [
      oauth(server, '/oauth/introspect', form, { key }),
      oauth(server, '/oauth/introspect', form, { headers: basic(app.publicId, key) }),
      oauth(server, '/oauth/introspect', form, { headers: basic(app.slug, key) }),
      oauth(server, '/oauth/introspect', { ...form, client_id: app.publicId, client_secret: key }),
      oauth(server, '/oauth/introspect', { ...form, client_secret: key }),
    ]
    for (const answer of await Promise.all(ways)) expect([answer.status, answer.body['active']]).toEqual([200, true])
  })

  test('nobody else', async () => {
    const { server, app, key, access, refresh } = await setUp()
    const other = await telegramApp(server, { slug: 'other' })
    const soon = new Date(server.clock.now.getTime() + 10_000)
    const expiring = await newApiKey(server, app, { expiresAt: soon })
    expect((await introspect(server, expiring, access)).status).toBe(200)
    server.clock.pass(10)
    const form = { token: access }
    const strangers = [
      oauth(server, '/oauth/introspect', form),
      oauth(server, '/oauth/introspect', { ...form, client_id: app.publicId }),
      oauth(server, '/oauth/introspect', { ...form, client_id: app.publicId, client_secret: 'x' }),
      oauth(server, '/oauth/introspect', form, { key: access }),
      oauth(server, '/oauth/introspect', form, { key: refresh }),
      oauth(server, '/oauth/introspect', form, { key: key.slice(0, -1) }),
      oauth(server, '/oauth/introspect', form, { key: `${key}A` }),
      oauth(server, '/oauth/introspect', form, { key: expiring }),
      oauth(server, '/oauth/introspect', form, { headers: basic(other.publicId, key) }),
      oauth(server, '/oauth/introspect', form, { headers: basic(app.publicId, '') }),
      oauth(server, '/oauth/introspect', form, { headers: { authorization: 'Basic %%%' } }),
      oauth(server, '/oauth/introspect', form, {
        headers: { authorization: `Basic ${Buffer.from('%:%').toString('base64')}` },
      }),
      oauth(server, '/oauth/revoke', form),
      oauth(server, '/oauth/token', { grant_type: 'refresh_token', refresh_token: refresh }),
    ]
    for (const [at, answer] of (await Promise.all(strangers)).entries()) {
      expect([answer.status, answer.body['error']], String(at)).toEqual([401, 'invalid_client'])
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
      expect(Object.keys(answer.body).sort()).toEqual(['error', 'error_description'])
    }
    expect((await checkSession(server, access)).status).toBe(200)
  })

  test('in one way at a time, and by one name', async () => {
    const { server, app, key, access } = await setUp()
    const other = await telegramApp(server, { slug: 'other' })
    const ask = async (form: Record<string, string>, headers: Record<string, string>) => {
      const { status, body } = await oauth(server, '/oauth/introspect', { token: access, ...form }, { headers })
      return [status, body['error'] ?? body['active']]
    }
    const bearer = { authorization: `Bearer ${key}` }
    const own = basic(app.publicId, key)
    for (const headers of [own, bearer]) {
      expect(await ask({ client_secret: key }, headers)).toEqual([400, 'invalid_request'])
      expect(await ask({ client_id: other.publicId }, headers)).toEqual([401, 'invalid_client'])
      expect(await ask({ client_id: app.slug }, headers)).toEqual([200, true])
    }
    for (const authorization of ['Digest x', 'Basic', 'Bearer'])
      expect(await ask({ client_id: app.slug }, { authorization })).toEqual([401, 'invalid_client'])
    // RFC 6749 §2.3.1: both are form-encoded before they are joined, with + for a blank and any character as %XX.
    const encoded = Buffer.from(`${app.publicId.replace('_', '%5F')}:${key.replaceAll('_', '%5f')}`).toString('base64')
    expect(await ask({}, { authorization: `Basic ${encoded}` })).toEqual([200, true])
  })

  test('a key for what it may', async () => {
    const { server, app, access, refresh } = await setUp()
    const key = await newApiKey(server, app, { scopes: ['tokens:introspect'] })
    expect((await introspect(server, key, access)).status).toBe(200)
    for (const [path, form] of [
      ['/oauth/revoke', { token: access }],
      ['/oauth/token', { grant_type: 'refresh_token', refresh_token: refresh }],
    ] as const) {
      const answer = await oauth(server, path, form, { key })
      expect([answer.status, answer.body['error']]).toEqual([403, 'unauthorized_client'])
    }
  })

  test('not a disabled app', async () => {
    const { server, app, key, access } = await setUp()
    await changeApp(server.runtime, cliActor, app.id, { disabled: true })
    expect((await introspect(server, key, access)).status).toBe(403)
  })

  test('an address on the list without a key, a key from no other address', async () => {
    const { server, app, key, access } = await setUp({ ipAllowList: ['127.0.0.0/8'] })
    const byAddress = { token: access, client_id: app.publicId }
    expect((await oauth(server, '/oauth/introspect', byAddress)).body['active']).toBe(true)
    expect((await oauth(server, '/oauth/introspect', { token: access })).status).toBe(401)
    await changeApp(server.runtime, cliActor, app.id, { ipAllowList: ['203.0.113.0/24', '2001:db8::/32'] })
    for (const attempt of [
      () => oauth(server, '/oauth/introspect', byAddress),
      () => introspect(server, key, access),
      // Headers that anybody can write change nothing.
      ...[
        'x-forwarded-for',
        'x-real-ip',
        'forwarded',
        'x-client-ip',
        'cf-connecting-ip',
        'true-client-ip',
        'x_forwarded_for',
      ].map(
        (name) => () =>
          oauth(server, '/oauth/introspect', { token: access }, { key, headers: { [name]: '203.0.113.7' } }),
      ),
    ]) {
      const answer = await attempt()
      expect([answer.status, answer.body['error']]).toEqual([403, 'unauthorized_client'])
    }
  })

  test('behind a trusted proxy the address is the last that no proxy of ours wrote', async () => {
    const { server, key, access } = await setUp(
      { ipAllowList: ['203.0.113.0/24', '2001:db8::/32'] },
      { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32, 10.0.0.0/8' },
    )
    const from = async (forwarded: string) =>
      (await oauth(server, '/oauth/introspect', { token: access }, { key, headers: { 'x-forwarded-for': forwarded } }))
        .status
    for (const good of [
      '203.0.113.7',
      '8.8.8.8, 203.0.113.7',
      '203.0.113.7, 10.1.2.3',
      '::ffff:203.0.113.7',
      '2001:db8::1',
      'rubbish, 203.0.113.7',
    ])
      expect(await from(good), good).toBe(200)
    for (const bad of [
      '203.0.113.7, 8.8.8.8',
      '8.8.8.8',
      '10.0.0.1',
      '',
      '203.0.113.7, x',
      '203.0.113.7,',
      '2001:db9::1',
    ])
      expect(await from(bad), bad).toBe(403)
  })
})

test('the form: POST only, each parameter once, known grants, nothing missing, not too big', async () => {
  const { server, key, access, refresh } = await setUp()
  for (const path of ['/oauth/introspect', '/oauth/revoke', '/oauth/token']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await call(server, method, `${path}?token=${access}`, { token: key })
      expect([answer.status, answer.headers.get('allow'), answer.headers.get('cache-control')]).toEqual([
        405,
        'POST',
        'no-store',
      ])
    }
    for (const form of [
      '',
      'x=1',
      'token=',
      `token=${access}&token=${access}`,
      `grant_type=refresh_token&grant_type=refresh_token&refresh_token=${refresh}`,
    ])
      expect((await oauth(server, path, form, { key })).body['error'], `${path} ${form.slice(0, 20)}`).toBe(
        'invalid_request',
      )
    const json = await call(server, 'POST', path, {
      token: key,
      body: { token: access, grant_type: 'refresh_token', refresh_token: refresh },
    })
    expect([json.status, json.body['error']]).toEqual([415, 'invalid_request'])
    expect((await oauth(server, path, `token=${'x'.repeat(257 * 1024)}`, { key })).status).toBe(413)
  }
  const twice = `token=${access}&client_secret=${key}&client_secret=${key}`
  expect((await oauth(server, '/oauth/introspect', twice)).body['error']).toBe('invalid_request')
  expect((await oauth(server, '/oauth/introspect', 'token[]=1&__proto__[x]=1&token=x', { key })).text).toBe(
    '{"active":false}',
  )
  for (const grant_type of ['password', 'client_credentials', 'authorization_code', 'REFRESH_TOKEN']) {
    const answer = await oauth(server, '/oauth/token', { grant_type, username: 'a', password: 'b' }, { key })
    expect([answer.status, answer.body['error']]).toEqual([400, 'unsupported_grant_type'])
  }
  expect((await call(server, 'GET', '/oauth/authorize')).status).toBe(404)
  expect((await checkSession(server, access)).status).toBe(200)
})

test('a client library made for these standards gets along', async () => {
  const { server, app, key, access, refresh, login } = await setUp({ sessionPolicy: { refreshRotation: true } })
  // The library is told the public address; the test's server listens elsewhere.
  const reach = (url: string, init: object) => fetch(url.replace('http://localhost:3000', server.url), init)
  for (const authentication of [client.ClientSecretBasic(key), client.ClientSecretPost(key)]) {
    const configuration = await client.discovery(
      new URL('http://localhost:3000'),
      app.publicId,
      undefined,
      authentication,
      { algorithm: 'oauth2', execute: [client.allowInsecureRequests], [client.customFetch]: reach },
    )
    const answer = await client.tokenIntrospection(configuration, access)
    expect(answer).toMatchObject({ active: true, sub: login['user'].id, client_id: app.publicId })
    const refreshed = await client.refreshTokenGrant(configuration, refresh)
    expect(refreshed).toMatchObject({ token_type: 'bearer', expires_in: 1800, refresh_token: expect.any(String) })
    expect((await client.tokenIntrospection(configuration, refreshed.refresh_token!)).active).toBe(true)
    await expect(client.refreshTokenGrant(configuration, 'gh_rt_x')).rejects.toMatchObject({ error: 'invalid_grant' })
  }
  const last = await client.discovery(
    new URL('http://localhost:3000'),
    app.publicId,
    undefined,
    client.ClientSecretBasic(key),
    {
      execute: [client.allowInsecureRequests],
      [client.customFetch]: reach,
    },
  )
  await client.tokenRevocation(last, access)
  expect(await client.tokenIntrospection(last, access)).toEqual({ active: false })
})
