import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import { describe, expect, test } from 'vitest'
import { call, startServer, type TestServer } from '../support/server.ts'
import { startPair } from '../support/pair.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

const jwks = async (server: TestServer) =>
  (await call(server, 'GET', '/.well-known/jwks.json')).body as unknown as JSONWebKeySet

const codeOf = async (server: TestServer, token: string) => (await checkSession(server, token)).body['code'] as string

async function signedIn(policy: Record<string, unknown> = {}, audiences: string[] = []) {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: policy, audiences })
  const login = (await signInWithTelegram(server, app)).body
  return { server, app, login, token: login['accessToken'] as string }
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const partsOf = (token: string) => {
  const [head, body, signature] = token.split('.') as [string, string, string]
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  return { head, body, signature, header: read(head), claims: read(body) }
}

describe('JWT access tokens', () => {
  test('are verified by anybody with the published keys and carry the claims of RFC 9068', async () => {
    const { server, app, login, token } = await signedIn({}, ['quest-api'])
    const keys = await jwks(server)
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
      typ: 'at+jwt',
      issuer: 'http://localhost:3000',
      audience: 'quest-api',
      algorithms: ['EdDSA'],
      currentDate: server.clock.now,
    })
    const now = server.clock.now.getTime() / 1000
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: expect.any(String) })
    expect(payload).toEqual({
      iss: 'http://localhost:3000',
      sub: login['user'].id,
      aud: 'quest-api',
      exp: now + 1800,
      iat: now,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      sid: login['session'].id,
      client_id: app.publicId,
      status: {
        status_list: {
          idx: expect.any(Number),
          uri: `http://localhost:3000/v1/apps/${app.publicId}/revocations`,
        },
      },
    })
    // No private part, and the key that signs next stands there already.
    expect(keys.keys).toHaveLength(2)
    for (const key of keys.keys) expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  test('name the app as audience while it has no audience IDs, and all IDs when it has several', async () => {
    const one = await signedIn()
    expect(partsOf(one.token).claims['aud']).toBe(one.app.publicId)
    const many = await signedIn({}, ['a', 'b'])
    expect(partsOf(many.token).claims['aud']).toEqual(['a', 'b'])
  })

  test('are refused when forged in any of the known ways', async () => {
    const { server, token } = await signedIn()
    const { head, body, signature, header, claims } = partsOf(token)
    const [key] = (await jwks(server)).keys
    const pair = generateKeyPairSync('ed25519')
    const own = pair.publicKey.export({ format: 'jwk' })
    const ed = (text: string) => sign(null, Buffer.from(text), pair.privateKey).toString('base64url')
    const hs = (text: string, secret: string | Buffer) => createHmac('sha256', secret).update(text).digest('base64url')
    const hs256 = `${encode({ ...header, alg: 'HS256' })}.${body}`
    const publicKey = Buffer.from(key!.x!, 'base64url')
    const withHeader = (more: object) => `${encode({ ...header, ...more })}.${body}`
    const raised = encode({ ...claims, exp: Number(claims['exp']) + 9999 })
    const forged = [
      `${encode({ ...header, alg: 'none' })}.${body}.`,
      `${encode({ ...header, alg: 'none' })}.${body}.${signature}`,
      `${encode({ ...header, alg: 'nOnE' })}.${body}.${signature}`,
      `${hs256}.${hs(hs256, publicKey)}`,
      `${hs256}.${hs(hs256, key!.x!)}`,
      `${hs256}.${hs(hs256, JSON.stringify(key))}`,
      `${hs256}.${hs(hs256, '')}`,
      `${head}.${body}.${ed(`${head}.${body}`)}`,
      ...[
        { jwk: own },
        { jku: 'http://127.0.0.1:1/jwks.json' },
        { x5u: 'http://127.0.0.1:1/' },
        { kid: 'mine', jwk: own },
      ].map((more) => `${withHeader(more)}.${ed(withHeader(more))}`),
      `${withHeader({ kid: '../../../../dev/null' })}.${ed(withHeader({ kid: '../../../../dev/null' }))}`,
      `${withHeader({ kid: undefined })}.${ed(withHeader({ kid: undefined }))}`,
      `${withHeader({ crit: ['x'], x: 1 })}.${signature}`,
      `${head}.${raised}.${signature}`,
      `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${token}.${signature}`,
      '..',
      '.'.repeat(4000),
    ]
    for (const one of forged) expect(await codeOf(server, one), one.slice(0, 120)).toBe('token_invalid')
    expect((await checkSession(server, token)).status).toBe(200)
  })

  test('have one spelling', async () => {
    const { server, token } = await signedIn()
    const last = token.at(-1)!
    const twins = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spellings = [`${token}=`, `${token}==`, `${token}%0A`, `${token}.`, token.slice(0, -1), token.toUpperCase()]
    for (const other of twins) if (other !== last) spellings.push(token.slice(0, -1) + other)
    const answers = await Promise.all(spellings.map((spelling) => checkSession(server, spelling)))
    for (const [at, answer] of answers.entries())
      expect([answer.status, answer.body['code']], spellings[at]!.slice(-5)).toEqual([401, 'token_invalid'])
  })

  test('expire to the second, also when they were verified before', async () => {
    const { server, token } = await signedIn({ accessTokenTtl: 2 })
    server.clock.pass(1.999)
    expect((await checkSession(server, token)).status).toBe(200)
    server.clock.pass(0.001)
    const late = await checkSession(server, token)
    expect([late.status, late.body['code']]).toEqual([401, 'token_expired'])
    expect(late.headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/)
  })

  test('never outlive the session', async () => {
    const { server, login, token } = await signedIn({ accessTokenTtl: 1800, absoluteTimeout: 60 })
    expect([login['expiresIn'], login['refreshExpiresIn']]).toEqual([60, 60])
    server.clock.pass(59)
    expect((await checkSession(server, token)).body['expiresIn']).toBe(1)
    server.clock.pass(1)
    expect(await codeOf(server, token)).toBe('session_expired')
  })

  test('that have expired still tell why their session is over', async () => {
    const { server, app, token } = await signedIn()
    await signInWithTelegram(server, app)
    server.clock.pass(86_400)
    expect((await checkSession(server, token)).body).toMatchObject({
      code: 'session_revoked',
      reason: 'limit_exceeded',
    })
  })
})

test('a token is taken from the Authorization header only, in its one form', async () => {
  const { server, token, login } = await signedIn()
  const get = (headers: Record<string, string>, query = '') => call(server, 'GET', `/v1/session${query}`, { headers })
  // The scheme in any case, and one or more spaces (RFC 9110 §11.4).
  for (const authorization of [`bearer ${token}`, `Bearer  ${token}`])
    expect((await get({ authorization })).status).toBe(200)
  for (const headers of [
    {},
    { authorization: token },
    { authorization: `Bearer\t${token}` },
    { authorization: `Bearer ${token}, Bearer ${token}` },
    { authorization: `Token ${token}` },
    { authorization: 'Bearer' },
    { authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` },
    { cookie: `access_token=${token}` },
    { 'x-forwarded-user': login['user'].id, 'x-user-id': login['user'].id },
  ])
    expect((await get(headers as Record<string, string>)).body['code']).toBe('token_invalid')
  expect((await get({}, `?access_token=${token}`)).status).toBe(401)
})

test.each(['jwt', 'opaque'])('each kind of token (%s) serves for its own purpose only', async (accessTokenFormat) => {
  const { server, login, token } = await signedIn({ accessTokenFormat })
  expect(await codeOf(server, login['refreshToken'])).toBe('token_invalid')
  const refresh = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: token } })
  expect([refresh.status, refresh.body['code']]).toEqual([401, 'token_invalid'])
  for (const prefix of ['gh_at_', 'gh_sk_', 'gh_op_', 'gh_oc_'])
    expect(await codeOf(server, login['refreshToken'].replace('gh_rt_', prefix))).toBe('token_invalid')
})

describe('opaque access tokens', () => {
  const opaque = { accessTokenFormat: 'opaque', accessTokenTtl: 100, absoluteTimeout: 350, refreshTokenTtl: 100 }

  test('are 256 random bits behind a prefix, and no truncation or change of one is good', async () => {
    const { server, token } = await signedIn(opaque)
    expect(token).toMatch(/^gh_at_[\w-]{64}$/)
    const wrong = Array.from({ length: token.length }, (_, length) => token.slice(0, length)).filter(Boolean)
    for (let at = 7; at < token.length; at += 3)
      wrong.push(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1))
    wrong.push(`${token}=`, `${token}A`, token.toLowerCase(), token.replace('gh_at_', 'gh_at'))
    const answers = await Promise.all(wrong.map((one) => checkSession(server, one)))
    expect(new Set(answers.map((answer) => answer.body['code']))).toEqual(new Set(['token_invalid']))
    expect((await checkSession(server, token)).status).toBe(200)
  })

  test("slide with every call and say so, but never past the session's absolute end", async () => {
    const { server, token } = await signedIn(opaque)
    for (const [seconds, left] of [
      [99, 100],
      [99, 100],
      [99, 53],
      [52, 1],
    ] as const) {
      server.clock.pass(seconds)
      const answer = await checkSession(server, token)
      expect([answer.status, answer.body['expiresIn']]).toEqual([200, left])
    }
    server.clock.pass(1)
    expect(await codeOf(server, token)).toBe('session_expired')
  })

  test('are dead after their lifetime without use, though the session lives on', async () => {
    const { server, token, app, login } = await signedIn({ ...opaque, maxConcurrentSessions: 2, refreshTokenTtl: 300 })
    server.clock.pass(100)
    expect(await codeOf(server, token)).toBe('token_expired')
    const refreshed = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: login['refreshToken'] } })
    expect((await checkSession(server, refreshed.body['accessToken'])).body['session'].id).toBe(login['session'].id)
    expect(await codeOf(server, token)).toBe('token_expired')
    expect(app.settings.sessionPolicy.accessTokenFormat).toBe('opaque')
  })

  test('slide across servers and a restart', async () => {
    const { one, two, pass, databaseUrl } = await startPair()
    const app = await telegramApp(one, {
      sessionPolicy: { ...opaque, absoluteTimeout: 10_000, accessTokenFormat: 'opaque' },
    })
    const { accessToken } = (await signInWithTelegram(one, app)).body as { accessToken: string }
    for (const server of [one, two, two, one, two]) {
      pass(60)
      expect((await checkSession(server, accessToken)).status).toBe(200)
    }
    pass(10)
    expect((await checkSession(one, accessToken)).status).toBe(200)
    await one.stop()
    const three = await startServer({ databaseUrl, now: new Date(one.clock.now.getTime() + 95_000) })
    expect((await checkSession(three, accessToken)).status).toBe(200)
  })
})

test('after a change of keys, tokens from before and after are good on both servers and for offline verifiers', async () => {
  const { one, two } = await startPair()
  const app = await telegramApp(one, { sessionPolicy: { maxConcurrentSessions: 5 } })
  const published = await jwks(two)
  const before = (await signInWithTelegram(one, app)).body['accessToken'] as string
  const rotated = await one.runtime.db.transaction((tx) => one.runtime.keys.rotate(tx))
  await one.runtime.keys.reload()
  const after = (await signInWithTelegram(one, app)).body['accessToken'] as string

  expect(decodeProtectedHeader(after).kid).toBe(rotated.active)
  expect(decodeProtectedHeader(before).kid).toBe(rotated.retired)
  // The key that signs now was published before its first use.
  for (const token of [before, after])
    await jwtVerify(token, createLocalJWKSet(published), { currentDate: one.clock.now })
  for (const server of [one, two])
    for (const token of [before, after]) expect((await checkSession(server, token)).status).toBe(200)

  const keys = (await jwks(one)).keys.map((key) => key.kid)
  expect(keys).toHaveLength(3)
  expect(keys).toContain(rotated.retired)
  // A day later no token of the retired key can live, so it goes.
  one.clock.pass(86_401)
  await one.runtime.keys.reload()
  expect((await jwks(one)).keys.map((key) => key.kid)).not.toContain(rotated.retired)
})

test('the metadata names what is there', async () => {
  const server = await startServer()
  for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    const { status, body, headers } = await call(server, 'GET', path)
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(body).toMatchObject({
      issuer: 'http://localhost:3000',
      jwks_uri: 'http://localhost:3000/.well-known/jwks.json',
    })
    expect((await call(server, 'POST', path)).headers.get('allow')).toBe('GET')
  }
})
