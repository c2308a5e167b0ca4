import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import { expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { sweep } from '../../server/sweep.ts'
import { listen } from '../support/listen.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, botToken, initData, loginWidget, person } from '../support/telegram.ts'

const login = (server: TestServer, app: { slug: string }, body: unknown) =>
  call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, { body })

test('a login answers all that the contract names, and the token works', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const { status, body, headers } = await signInWithTelegram(server, app)
  expect(status).toBe(200)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    accessToken: expect.any(String),
    tokenType: 'Bearer',
    expiresIn: 1800,
    refreshToken: expect.stringMatching(/^gh_rt_[\w-]{64}$/),
    refreshExpiresIn: 604_800,
    session: {
      id: expect.stringMatching(/^ses_/),
      appId: app.publicId,
      userId: body['user'].id,
      createdAt: '2026-06-01T12:00:00.000Z',
      lastActiveAt: '2026-06-01T12:00:00.000Z',
      idleExpiresAt: '2026-06-08T12:00:00.000Z',
      expiresAt: '2026-07-01T12:00:00.000Z',
      method: 'telegram',
    },
    user: {
      id: expect.stringMatching(/^usr_/),
      isNew: true,
      createdAt: '2026-06-01T12:00:00.000Z',
      name: 'Alice Ito',
      username: 'alice_ito',
      language: 'en',
    },
    evictedSessions: [],
  })
  const session = await checkSession(server, body['accessToken'])
  expect(session.body['user']).toMatchObject({ id: body['user'].id, name: 'Alice Ito' })
  const byId = await call(server, 'POST', `/v1/apps/${app.publicId}/telegram/login`, {
    body: { initData: initData(alice, server.clock.now) },
  })
  expect(byId.body['user']).toMatchObject({ id: body['user'].id, isNew: false })
})

test('what is wrong with the form of a login is told of the member that it is in', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const proof = initData(alice, server.clock.now)
  const which = { path: '', message: 'must hold exactly one of initData, loginWidget and idToken' }
  const bodies: [unknown, object][] = [
    [{ initData: 1 }, { path: 'initData', message: expect.stringContaining('string') }],
    [
      { initData: proof, userId: 1 },
      { path: 'userId', message: 'is not known here' },
    ],
    [{ loginWidget: { id: [] } }, { path: 'loginWidget.id', message: expect.any(String) }],
    [{ loginWidget: proof }, { path: 'loginWidget', message: expect.stringContaining('record') }],
    [
      { idToken: 'x', nonce: 7 },
      { path: 'nonce', message: expect.any(String) },
    ],
    [{}, which],
    [[], which],
    [{ initdata: proof }, which],
    [{ initData: proof, idToken: 'x' }, which],
  ]
  for (const [body, fault] of bodies) {
    const answer = await call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, { body })
    expect([answer.status, answer.body['code'], answer.body['errors']]).toEqual([400, 'invalid_request', [fault]])
  }
})

test('initData may be used again while it is fresh, to the second', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const data = initData(alice, server.clock.now)
  expect((await login(server, app, { initData: data })).status).toBe(200)
  server.clock.pass(86_400)
  expect((await login(server, app, { initData: data })).status).toBe(200)
  server.clock.pass(1)
  const late = await login(server, app, { initData: data })
  expect([late.status, late.body['code']]).toEqual([401, 'login_expired'])
})

test('an app may shorten the age and let each proof serve once, however many try at once', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { telegram: { botToken, maxAge: 60, singleUse: true } })
  const data = initData(alice, server.clock.now)
  const tries = await Promise.all(Array.from({ length: 20 }, () => login(server, app, { initData: data })))
  expect(tries.filter((answer) => answer.status === 200)).toHaveLength(1)
  expect(new Set(tries.filter((answer) => answer.status !== 200).map((answer) => answer.body['code']))).toEqual(
    new Set(['login_expired']),
  )
  // The same fields in another order and spelling are the same proof.
  const shuffled = data.split('&').reverse().join('&').replaceAll('%3A', ':')
  expect((await login(server, app, { initData: shuffled })).body['code']).toBe('login_expired')
  expect((await login(server, app, { initData: initData(person(5), server.clock.now) })).status).toBe(200)
})

test('what is not signed by this bot, now, for this app, is refused with its reason', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const bare = await server.createApp({ name: 'No bot yet', slug: 'bare' })
  const now = server.clock.now
  const later = new Date(now.getTime() + 61_000)
  const good = initData(alice, now)
  const cases: [unknown, number, string][] = [
    [{ initData: initData(alice, now, '7000000002:AnotherBotsTokenAnotherBotsToken000') }, 401, 'invalid_signature'],
    [{ initData: good.replace('Alice', 'Malice') }, 401, 'invalid_signature'],
    [
      { initData: good.replace(/hash=(.)/, (_, first) => `hash=${first === '0' ? '1' : '0'}`) },
      401,
      'invalid_signature',
    ],
    [{ initData: initData(alice, later) }, 401, 'login_expired'],
    [{ initData: good.replace(/&?hash=[0-9a-f]+/, '') }, 400, 'invalid_request'],
    [{ initData: `${good}&auth_date=1` }, 400, 'invalid_request'],
    [{ initData: 'x'.repeat(5000) }, 400, 'invalid_request'],
    [{ initData: '' }, 400, 'invalid_request'],
    [{ initData: 7 }, 400, 'invalid_request'],
    [{ initData: { toString: 'x' } }, 400, 'invalid_request'],
    [{ initData: [good] }, 400, 'invalid_request'],
    [{ initData: good, userId: 1 }, 400, 'invalid_request'],
    [{ initData: good, loginWidget: loginWidget(alice, now) }, 400, 'invalid_request'],
    [{ loginWidget: { ...loginWidget(alice, now), id: 1 } }, 401, 'invalid_signature'],
    [{ loginWidget: { ...loginWidget(alice, now), hash: 'é' } }, 400, 'invalid_request'],
    [{ loginWidget: [] }, 400, 'invalid_request'],
    [{ idToken: 'a.b' }, 400, 'invalid_request'],
    [[], 400, 'invalid_request'],
    [{}, 400, 'invalid_request'],
    ['null', 400, 'invalid_request'],
  ]
  for (const [body, status, code] of cases) {
    const answer = await login(server, app, body)
    expect([answer.status, answer.body['code']], JSON.stringify(body).slice(0, 80)).toEqual([status, code])
  }
  expect((await login(server, bare, { initData: good })).body['code']).toBe('invalid_request')
  expect((await login(server, { slug: 'nobody' }, { initData: good })).status).toBe(404)
})

test('the Login Widget signs in the same person as the Mini App', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const mini = await signInWithTelegram(server, app)
  const widget = await login(server, app, { loginWidget: loginWidget(alice, server.clock.now) })
  expect([widget.status, widget.body['user'].id]).toEqual([200, mini.body['user'].id])
})

test("an ID token of Telegram's signs in the same person; a forged, foreign or old one does not", async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const other = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'telegram-1', alg: 'ES256', use: 'sig' }
  let reads = 0
  const telegram = await listen((_request, response) => {
    reads++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
  const server = await startServer({ env: { TELEGRAM_OAUTH_URL: telegram } })
  const app = await telegramApp(server, { telegram: { botToken, singleUse: true } })
  const now = Math.floor(server.clock.now.getTime() / 1000)
  const claims = {
    iss: telegram,
    aud: '7000000001',
    iat: now,
    exp: now + 3600,
    sub: 'opaque',
    id: alice.id,
    name: 'Alice',
  }
  const token = (change: JWTPayload = {}, key = privateKey, kid = 'telegram-1') =>
    new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: 'ES256', kid }).sign(key)

  const mini = await signInWithTelegram(server, app)
  const good = await token()
  const first = await login(server, app, { idToken: good })
  expect([first.status, first.body['user'].id]).toEqual([200, mini.body['user'].id])

  const cases: [unknown, number, string][] = [
    [{ idToken: good }, 401, 'login_expired'],
    [{ idToken: otherSpelling(good) }, 401, 'login_expired'],
    [{ idToken: await token({}, other.privateKey) }, 401, 'invalid_signature'],
    [{ idToken: await token({}, privateKey, 'telegram-2') }, 401, 'invalid_signature'],
    [{ idToken: await token({ aud: '7000000002' }) }, 401, 'invalid_signature'],
    [{ idToken: await token({ iss: 'https://oauth.telegram.org' }) }, 401, 'invalid_signature'],
    [{ idToken: await token({ exp: now }) }, 401, 'login_expired'],
    [{ idToken: await token({ iat: now + 120 }) }, 401, 'login_expired'],
    [{ idToken: await token({ nonce: 'theirs' }), nonce: 'ours' }, 401, 'nonce_invalid'],
    [{ idToken: await token({ id: 'x' }) }, 400, 'invalid_request'],
  ]
  for (const [body, status, code] of cases) {
    const answer = await login(server, app, body)
    expect([answer.status, answer.body['code']]).toEqual([status, code])
  }
  expect((await login(server, app, { idToken: await token({ nonce: 'ours' }), nonce: 'ours' })).status).toBe(200)
  expect(reads).toBe(1)
})

/** The other of the two signatures that ECDSA has for one text: s becomes the order of the group less s. */
function otherSpelling(token: string): string {
  const [head, body, signature] = token.split('.') as [string, string, string]
  const bytes = Buffer.from(signature, 'base64url')
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const flipped = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${head}.${body}.${flipped.toString('base64url')}`
}

test("Telegram's keys being out of reach is 503, not a refused login", async () => {
  const telegram = await listen((request) => request.socket.destroy())
  const server = await startServer({ env: { TELEGRAM_OAUTH_URL: telegram } })
  const app = await telegramApp(server)
  const { privateKey } = await generateKeyPair('ES256')
  const token = await new SignJWT({ iss: telegram }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey)
  const answer = await login(server, app, { idToken: token })
  expect([answer.status, answer.body['code']]).toEqual([503, 'unavailable'])
})

test('a new name replaces the old one; what the person wrote themselves stays', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const first = await signInWithTelegram(server, app)
  const token = first.body['accessToken']
  await call(server, 'PATCH', '/v1/me', { token, body: { name: 'The Real Alice', email: 'alice@example.com' } })

  const { last_name: _, username: __, ...renamed } = { ...alice, first_name: 'Alicia', language_code: 'ja' }
  const second = await signInWithTelegram(server, app, renamed)
  expect(second.body['user']).toMatchObject({ id: first.body['user'].id, isNew: false })
  const me = await call(server, 'GET', '/v1/me', { token: second.body['accessToken'] })
  expect(me.body).toEqual({
    id: first.body['user'].id,
    createdAt: first.body['user'].createdAt,
    name: 'The Real Alice',
    email: 'alice@example.com',
    emailVerified: false,
    language: 'ja',
  })
  const bob = await signInWithTelegram(server, app, person(7))
  const bert = await signInWithTelegram(server, app, { ...person(7), first_name: 'Bert' })
  expect([bob.body['user'].name, bert.body['user'].name]).toEqual(['Person 7', 'Bert'])
})

test('a proof dated ahead is remembered until it can serve no longer', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { telegram: { maxAge: 100, singleUse: true } })
  const ahead = new Date(server.clock.now.getTime() + 60_000)
  const body = { initData: initData(alice, ahead) }
  expect((await login(server, app, body)).status).toBe(200)
  for (const seconds of [100, 59, 1]) {
    server.clock.pass(seconds)
    await sweep(server.runtime)
    expect((await login(server, app, body)).body['code']).toBe('login_expired')
  }
})

test('an app whose bot token is missing, or was taken away, lets nobody in', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const bare = await server.createApp({ name: 'Bare', slug: 'bare' })
  await changeApp(server.runtime, cliActor, app.id, { telegram: { botToken: null } })
  for (const { slug } of [app, bare])
    for (const token of ['', 'undefined', 'null', ':', botToken]) {
      const answer = await login(server, { slug }, { initData: initData(alice, server.clock.now, token) })
      expect([slug, token, answer.status < 500 && answer.status >= 400]).toEqual([slug, token, true])
      const widget = await login(server, { slug }, { loginWidget: loginWidget(alice, server.clock.now, token) })
      expect([slug, token, widget.status < 500 && widget.status >= 400]).toEqual([slug, token, true])
    }
})

test('one person is two users for two apps', async () => {
  const server = await startServer()
  const [one, two] = [await telegramApp(server), await telegramApp(server, { slug: 'two' })]
  const [a, b] = [await signInWithTelegram(server, one), await signInWithTelegram(server, two)]
  expect(a.body['user'].id).not.toBe(b.body['user'].id)
  expect([a.body['user'].isNew, b.body['user'].isNew]).toEqual([true, true])
})

test('fifty first logins of one person at once make exactly one user', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 50 } })
  const logins = await Promise.all(Array.from({ length: 50 }, () => signInWithTelegram(server, app)))
  expect(logins.every((answer) => answer.status === 200)).toBe(true)
  expect(new Set(logins.map((answer) => answer.body['user'].id)).size).toBe(1)
  expect(logins.filter((answer) => answer.body['user'].isNew)).toHaveLength(1)
  expect(new Set(logins.map((answer) => answer.body['session'].id)).size).toBe(50)
})
