import { expect, test } from 'vitest'
import { startPair } from '../support/pair.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, person } from '../support/telegram.ts'
import { newWallet, signNonce } from '../support/wallet.ts'

const me = (server: TestServer, token: string) => call(server, 'GET', '/v1/me', { token })
const change = (server: TestServer, token: string, body: unknown) => call(server, 'PATCH', '/v1/me', { token, body })
const outcome = (answer: Answer) => [answer.status, answer.body['code']]

async function signedIn(server: TestServer, user = alice) {
  const app = await telegramApp(server, { slug: `app-${user.id}`, sessionPolicy: { maxConcurrentSessions: 3 } })
  const login = await signInWithTelegram(server, app, user)
  return { app, login: login.body, token: login.body['accessToken'] as string }
}

test('people see what is kept of them, change it and remove it', async () => {
  const server = await startServer()
  const { token, login } = await signedIn(server)
  const before = {
    id: login['user'].id,
    createdAt: '2026-06-01T12:00:00.000Z',
    name: 'Alice Ito',
    username: 'alice_ito',
    language: 'en',
  }
  expect((await me(server, token)).body).toEqual(before)

  const changed = await change(server, token, { name: ' Alice ', email: 'Alice@Example.com', language: 'pt-BR' })
  const after = { ...before, name: 'Alice', email: 'Alice@Example.com', emailVerified: false, language: 'pt-BR' }
  expect([changed.status, changed.body]).toEqual([200, after])
  expect((await me(server, token)).body).toEqual(after)
  expect((await checkSession(server, token)).body['user']).toEqual(after)
  expect((await change(server, token, {})).body).toEqual(after)

  const removed = await change(server, token, { name: null, email: null, language: null })
  expect(removed.body).toEqual({ id: before.id, createdAt: before.createdAt, username: 'alice_ito' })
})

test('what people may not say of themselves is refused whole', async () => {
  const server = await startServer()
  const { token, login } = await signedIn(server)
  for (const body of [
    { emailVerified: true },
    { email: 'a@example.com', emailVerified: true },
    { username: 'durov' },
    { photoUrl: 'https://evil.example/x.png' },
    { id: 'usr_1' },
    { role: 'owner' },
    { blockedAt: null },
    { email: 'not an address' },
    { email: 'a@example.com\r\nBcc: b@example.com' },
    { email: `${'a'.repeat(250)}@example.com` },
    { email: ['a@example.com'] },
    { name: '' },
    { name: '   ' },
    { name: 'a\nb' },
    { name: 'a\u0000b' },
    { name: 'x'.repeat(201) },
    { name: { first: 'a' } },
    { language: 'english please' },
    { name: 'ok', sub: 'x' },
    '{"__proto__":{"name":"x"}}',
    '{"constructor":{"prototype":{"name":"x"}}}',
    [],
    'null',
  ])
    expect(outcome(await change(server, token, body)), JSON.stringify(body)).toEqual([400, 'invalid_request'])
  expect((await me(server, token)).body['name']).toBe('Alice Ito')
  expect(({} as Record<string, unknown>)['name']).toBeUndefined()
  expect(outcome(await call(server, 'PATCH', '/v1/me', { body: { name: 'x', userId: login['user'].id } }))).toEqual([
    401,
    'token_invalid',
  ])
})

test('an e-mail address that somebody wrote down joins no accounts', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const [a, b] = [await signInWithTelegram(server, app, person(1)), await signInWithTelegram(server, app, person(2))]
  for (const login of [a, b]) {
    const answer = await change(server, login.body['accessToken'], { email: 'victim@example.com' })
    expect(answer.body).toMatchObject({ email: 'victim@example.com', emailVerified: false })
  }
  const ids = await Promise.all(
    [1, 2].map(async (id) => (await signInWithTelegram(server, app, person(id))).body['user'].id),
  )
  expect(new Set(ids).size).toBe(2)
})

test('changes at once are all kept', async () => {
  const server = await startServer()
  const { token } = await signedIn(server)
  await Promise.all([
    change(server, token, { name: 'A' }),
    change(server, token, { email: 'a@example.com' }),
    change(server, token, { language: 'de' }),
  ])
  expect((await me(server, token)).body).toMatchObject({ name: 'A', email: 'a@example.com', language: 'de' })
})

test('the export holds everything in clear, and nothing of anybody else', async () => {
  const server = await startServer()
  const { app, token, login } = await signedIn(server)
  await signInWithTelegram(server, app, person(77))
  const second = await signInWithTelegram(server, app, alice, { 'user-agent': 'Telegram-iOS/12.1' })
  await call(server, 'POST', '/v1/logout', { token: second.body['accessToken'] })
  await change(server, token, { email: 'alice@example.com' })
  await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: login['refreshToken'] } })

  const { status, body, headers } = await call(server, 'GET', '/v1/me/export', { token })
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body).toEqual({
    exportedAt: '2026-06-01T12:00:00.000Z',
    app: { id: app.publicId, name: 'Ton Quest' },
    user: {
      id: login['user'].id,
      createdAt: '2026-06-01T12:00:00.000Z',
      blockedAt: null,
      blockedReason: null,
      name: 'Alice Ito',
      username: 'alice_ito',
      language: 'en',
      email: 'alice@example.com',
      emailVerified: false,
    },
    identities: [
      {
        id: expect.stringMatching(/^idn_/),
        kind: 'telegram',
        subject: '279058397',
        profile: { name: 'Alice Ito', username: 'alice_ito', language: 'en' },
        details: { username: 'alice_ito' },
        publicKey: null,
        createdAt: '2026-06-01T12:00:00.000Z',
      },
    ],
    signature: {
      set: false,
      changedAt: null,
      email: 'alice@example.com',
      recoveryQuestions: [],
      lockedUntil: null,
      resetLockedUntil: null,
    },
    wallets: [],
    notifications: [],
    notificationPreferences: null,
    findings: [],
    blocks: [],
    mails: [],
    mailSuppressed: null,
    underWay: { signatureResetUntil: null, accountLinkUntil: null },
    audit: [],
    profiles: [],
    sessions: [
      expect.objectContaining({
        id: second.body['session'].id,
        device: 'Telegram-iOS/12.1',
        ip: '127.0.0.1',
        endReason: 'logout',
        events: [],
      }),
      expect.objectContaining({
        id: login['session'].id,
        endedAt: null,
        endReason: null,
        events: [{ at: '2026-06-01T12:00:00.000Z', kind: 'refreshed', detail: null }],
      }),
    ],
  })
  expect(JSON.stringify(body)).not.toMatch(/Person 77|gh_|hash/i)
})

test("the export names a person's wallets", async () => {
  const server = await startServer()
  await server.createApp({ slug: 'quest' })
  const wallet = newWallet('V5R1')
  const { id, nonce } = (await call(server, 'POST', '/v1/apps/quest/ton/nonce', { body: {} })).body as {
    id: string
    nonce: string
  }
  const login = await call(server, 'POST', '/v1/apps/quest/ton/login', {
    body: { id, address: wallet.address, signedMessage: signNonce(wallet, nonce), stateInit: wallet.stateInit },
  })
  const { body } = await call(server, 'GET', '/v1/me/export', { token: login.body['accessToken'] })
  expect(body['wallets']).toEqual([
    {
      address: wallet.address,
      wallet: 'V5R1',
      network: '-239',
      keyFrom: 'stateInit',
      publicKey: wallet.publicKey.toString('hex'),
      followed: false,
      createdAt: '2026-06-01T12:00:00.000Z',
    },
  ])
})

test('an erased person is gone on the next call everywhere, and who comes back is somebody new', async () => {
  const { one, two } = await startPair()
  const app = await telegramApp(one, { sessionPolicy: { maxConcurrentSessions: 3 } })
  const [first, second] = [await signInWithTelegram(one, app), await signInWithTelegram(two, app)]
  await change(one, first.body['accessToken'], { email: 'alice@example.com' })
  const bob = await signInWithTelegram(one, app, person(5))
  expect((await checkSession(two, second.body['accessToken'])).status).toBe(200)

  const erased = await call(one, 'DELETE', '/v1/me', { token: first.body['accessToken'] })
  expect([erased.status, erased.body]).toEqual([204, { text: '' }])
  for (const server of [one, two]) {
    for (const login of [first, second]) {
      const answer = await checkSession(server, login.body['accessToken'])
      expect([...outcome(answer), answer.body['reason']]).toEqual([401, 'session_revoked', 'user_erased'])
      const body = { refreshToken: login.body['refreshToken'] as string }
      expect((await call(server, 'POST', '/v1/token/refresh', { body })).status).toBe(401)
      expect((await call(server, 'DELETE', '/v1/me', { token: login.body['accessToken'] })).status).toBe(401)
    }
    expect((await checkSession(server, bob.body['accessToken'])).status).toBe(200)
  }
  const back = await signInWithTelegram(two, app)
  expect(back.body['user']).toMatchObject({ isNew: true })
  expect(back.body['user'].id).not.toBe(first.body['user'].id)
  expect((await me(two, back.body['accessToken'])).body['email']).toBeUndefined()
  expect((await checkSession(one, first.body['accessToken'])).status).toBe(401)
})

test('signing in, refreshing and erasing at the same moment is never an error of ours', async () => {
  const { one, two } = await startPair()
  const app = await telegramApp(one, { sessionPolicy: { maxConcurrentSessions: 20, accessTokenFormat: 'opaque' } })
  for (let round = 0; round < 5; round++) {
    const login = (await signInWithTelegram(one, app)).body as { accessToken: string; refreshToken: string }
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, (_, at) => signInWithTelegram(at % 2 ? one : two, app)),
      ...Array.from({ length: 4 }, () =>
        call(two, 'POST', '/v1/token/refresh', { body: { refreshToken: login.refreshToken } }),
      ),
      call(one, 'DELETE', '/v1/me', { token: login.accessToken }),
      ...Array.from({ length: 8 }, (_, at) => signInWithTelegram(at % 2 ? one : two, app)),
    ])
    for (const answer of answers) expect([200, 204, 401]).toContain(answer.status)
    expect((await checkSession(two, login.accessToken)).status).toBe(401)
  }
})
