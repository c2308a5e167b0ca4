import { expect, test } from 'vitest'
import { setupLink } from '../../server/operator/setup.ts'
import { bearer, consoleClient, operatorToken, password, refusalCode } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { botToken } from '../support/telegram.ts'

test('the set-up link makes the first owner once, and signs them in', async () => {
  const server = await startServer()
  const link = new URL((await setupLink(server.runtime))!)
  const token = link.searchParams.get('token')!
  const owner = { token, email: 'Ada@example.com', password }
  const first = await call(server, 'POST', '/trpc/setup.complete', { body: owner })
  expect(first.status).toBe(200)
  const cookie = first.headers.get('set-cookie')!
  expect(cookie).toMatch(
    /^__Host-gatehouse=gh_oc_[\w-]{64}; Path=\/; HttpOnly; SameSite=Strict; Secure; Max-Age=43200$/,
  )

  const me = await consoleClient(server, { cookie: cookie.split(';')[0]! }).auth.me.query()
  expect(me.operator).toMatchObject({ email: 'Ada@example.com', role: 'owner', appIds: null })
  expect(await refusalCode(consoleClient(server).setup.complete.mutate({ ...owner, email: 'eve@example.com' }))).toBe(
    'gone',
  )
  expect(await setupLink(server.runtime)).toBeUndefined()
})

test('of many who use the set-up link at once, one becomes the owner', async () => {
  const server = await startServer()
  const token = new URL((await setupLink(server.runtime))!).searchParams.get('token')!
  const tries = Array.from({ length: 8 }, (_, n) =>
    refusalCode(consoleClient(server).setup.complete.mutate({ token, email: `o${n}@example.com`, password })),
  )
  const outcomes = await Promise.all(tries)
  expect(outcomes.filter((outcome) => outcome !== 'gone')).toHaveLength(1)
})

test('an operator makes an app over REST, sees a session, revokes it, and the token is dead on the next call', async () => {
  const server = await startServer()
  const token = await operatorToken(server, 'admin')
  const made = await call(server, 'POST', '/api/v1/apps', {
    token,
    body: { name: 'Ton Quest', telegram: { botToken }, audiences: ['ton-quest'] },
  })
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({
    slug: 'ton-quest',
    telegram: { botTokenSet: true, botId: '7000000001' },
    sessionPolicy: { maxConcurrentSessions: 1 },
  })
  expect(JSON.stringify(made.body)).not.toContain(botToken)

  const login = await signInWithTelegram(server, { slug: 'ton-quest' } as never)
  const listed = await call(server, 'GET', `/api/v1/sessions?appId=${made.body['id']}&status=active&limit=10`, {
    token,
  })
  expect(listed.body['items']).toMatchObject([
    { id: login.body['session'].id, user: { label: '@alice_ito' }, method: 'telegram', status: 'active' },
  ])

  const revoked = await call(server, 'POST', `/api/v1/sessions/${login.body['session'].id}/revoke`, { token, body: {} })
  expect(revoked.body).toEqual({ revoked: 1 })
  const refused = await checkSession(server, login.body['accessToken'])
  expect([refused.status, refused.body['code'], refused.body['reason']]).toEqual([
    401,
    'session_revoked',
    'revoked_by_operator',
  ])

  const detail = await call(server, 'GET', `/api/v1/sessions/${login.body['session'].id}`, { token })
  expect(detail.body['timeline'].map((moment: { kind: string }) => moment.kind)).toEqual(['created', 'ended'])
  expect(detail.body['session']).toMatchObject({
    status: 'ended',
    endReason: 'revoked_by_operator',
    endedBy: 'admin@example.com',
  })

  const audit = await call(server, 'GET', '/api/v1/audit', { token })
  expect(audit.body['items'].map((entry: { action: string }) => entry.action)).toEqual([
    'session.revoke',
    'app.create',
    'operator_token.create',
    'operator.create',
  ])
  expect(JSON.stringify(audit.body)).not.toContain(botToken)
  expect((await call(server, 'GET', '/api/v1/audit/verify', { token })).body).toEqual({
    ok: true,
    entries: 4,
    brokenAt: null,
  })
})

test('ten wrong passwords lock an address, known or not, and the right one is refused too', async () => {
  const server = await startServer()
  await operatorToken(server, 'owner', 'ada@example.com')
  for (const email of ['ada@example.com', 'nobody@example.com']) {
    const wrong = { email, password: 'not the password' }
    const outcomes = []
    for (let attempt = 0; attempt < 11; attempt++)
      outcomes.push(await refusalCode(consoleClient(server).auth.signIn.mutate(wrong)))
    expect(outcomes).toEqual([...Array<string>(10).fill('invalid_credentials'), 'locked'])
  }
  expect(await refusalCode(consoleClient(server).auth.signIn.mutate({ email: 'ADA@example.com ', password }))).toBe(
    'locked',
  )
  const answer = await call(server, 'POST', '/trpc/auth.signIn', { body: { email: 'ada@example.com', password } })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([423, expect.stringMatching(/^(900|8\d\d)$/)])
})

test('a console cookie works for our own pages only', async () => {
  const server = await startServer()
  await operatorToken(server, 'owner', 'ada@example.com')
  const signedIn = await call(server, 'POST', '/trpc/auth.signIn', { body: { email: 'ada@example.com', password } })
  const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!
  const create = (headers: Record<string, string>) =>
    call(server, 'POST', '/trpc/apps.create', {
      body: { name: `App ${Math.random()}` },
      headers: { cookie, ...headers },
    })
  expect((await create({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await create({ origin: 'null' })).status).toBe(403)
  expect((await create({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await create({ 'content-type': 'text/plain' })).status).toBe(415)
  expect((await create({ origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  await consoleClient(server, { cookie }).auth.signOut.mutate()
  expect(await refusalCode(consoleClient(server, { cookie }).auth.me.query())).toBe('token_invalid')
})

test('the OpenAPI document is 3.1, and every operation in it answers without a token with 401 problem+json', async () => {
  const server = await startServer()
  const { body } = await call(server, 'GET', '/api/openapi.json')
  expect(body['openapi']).toMatch(/^3\.1/)
  const operations = Object.entries(body['paths'] as Record<string, object>).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => [verb.toUpperCase(), path] as const),
  )
  expect(operations.length).toBeGreaterThan(25)
  for (const [method, path] of operations) {
    const answer = await call(
      server,
      method,
      `/api/v1${path.replaceAll(/\{\w+\}/g, 'x')}`,
      method === 'GET' || method === 'DELETE' ? {} : { body: {} },
    )
    expect([method, path, answer.status, answer.body['code']]).toEqual([method, path, 401, 'token_invalid'])
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
  }
})

test('bad input names every fault and changes nothing', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  const refused = await call(server, 'POST', '/api/v1/apps', {
    token,
    body: { name: '', audiences: 'x', sessionPolicy: { maxConcurrentSessions: 0 }, surprise: 1 },
  })
  expect([refused.status, refused.body['code']]).toEqual([400, 'invalid_request'])
  expect(refused.body['errors'].map((fault: { path: string }) => fault.path).sort()).toEqual([
    'audiences',
    'name',
    'sessionPolicy.maxConcurrentSessions',
    'surprise',
  ])
  expect((await consoleClient(server, bearer(token)).apps.list.query({})).items).toEqual([])
})

test('a name is more than blanks, and a list holds each value once', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  for (const body of [
    { name: '   ', slug: 'blank' },
    { name: 'A', rewardName: ' ' },
  ]) {
    const answer = await call(server, 'POST', '/api/v1/apps', { token, body })
    expect([answer.status, answer.body['errors'][0].path]).toEqual([400, 'slug' in body ? 'name' : 'rewardName'])
  }
  const twice = {
    name: '  Ton Quest ',
    audiences: ['a', 'b', 'a'],
    allowedOrigins: ['https://a.example', 'https://a.example'],
    ipAllowList: ['203.0.113.1', '203.0.113.1'],
    ton: { domains: ['a.example', 'a.example'], chains: ['-3', '-3'] },
  }
  const { body } = await call(server, 'POST', '/api/v1/apps', { token, body: twice })
  expect(body).toMatchObject({
    name: 'Ton Quest',
    audiences: ['a', 'b'],
    allowedOrigins: ['https://a.example'],
    ipAllowList: ['203.0.113.1'],
    ton: { domains: ['a.example'], chains: ['-3'] },
  })
})

test('what nobody has to say may be left out: why somebody is blocked, and what a key is called', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  const app = await telegramApp(server)
  const { body } = await signInWithTelegram(server, app)
  const user = `/api/v1/users/${body['user'].id}`
  expect((await call(server, 'POST', `${user}/block`, { token })).body).toEqual({ ended: 1 })
  expect((await call(server, 'GET', user, { token })).body['user']).toMatchObject({
    blocked: true,
    blockedReason: null,
  })
  expect((await call(server, 'POST', `${user}/unblock`, { token })).status).toBe(204)
  const key = await call(server, 'POST', `/api/v1/apps/${app.publicId}/api-keys`, { token, body: {} })
  expect([key.status, key.body]).toEqual([201, expect.objectContaining({ name: 'API key' })])
  const block = { kind: 'address', value: '203.0.113.9' }
  const blocked = await call(server, 'POST', '/api/v1/blocks', { token, body: block })
  expect([blocked.status, blocked.body]).toEqual([201, expect.objectContaining({ ...block, reason: '' })])
})
