import { request as send } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, initData } from '../support/telegram.ts'

const outcome = (answer: Answer) => [answer.status, answer.body['code']]

/** One request with exactly this path and these headers, which fetch would tidy up. */
function raw(
  server: TestServer,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Answer> {
  const { port } = new URL(server.url)
  return new Promise((resolve, reject) => {
    const request = send({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => (text += part))
      response.on('end', () => {
        const names = new Headers(response.headers as Record<string, string>)
        const json = names.get('content-type')?.includes('json')
        resolve({ status: response.statusCode!, headers: names, body: json ? JSON.parse(text) : { text } })
      })
    })
    request.on('error', reject).end(body)
  })
}

/** What every refusal must look like, and must not tell. */
function expectProblem(answer: Answer, status: number, code: string, label = ''): void {
  expect(outcome(answer), label).toEqual([status, code])
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/^https?:\/\//),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    requestId: expect.stringMatching(/^req_/),
  })
  expect(JSON.stringify(answer.body)).not.toMatch(
    /\bat .*:\d+|node_modules|\/work|\/home|select |insert |drizzle|sqlite|postgres|ECONN|\.ts\b/i,
  )
}

describe('what cannot be read is refused with its own status', () => {
  const json = { 'content-type': 'application/json' }
  const path = '/v1/apps/ton-quest/telegram/login'

  test.each<[string, number, string, (server: TestServer) => Promise<Answer>]>([
    ['broken JSON', 400, 'invalid_request', (s) => call(s, 'POST', path, { body: '{"initData":' })],
    ['a lone word', 400, 'invalid_request', (s) => call(s, 'POST', path, { body: 'true' })],
    ['257 KiB', 413, 'payload_too_large', (s) => call(s, 'POST', path, { body: { initData: 'x'.repeat(257 * 1024) } })],
    ['text/plain', 415, 'unsupported_media_type', (s) => raw(s, 'POST', path, { 'content-type': 'text/plain' }, '{}')],
    [
      'a form',
      415,
      'unsupported_media_type',
      (s) => raw(s, 'POST', path, { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'),
    ],
    ['no content type', 415, 'unsupported_media_type', (s) => raw(s, 'POST', path, { 'content-length': '2' }, '{}')],
    [
      'another character set',
      415,
      'unsupported_media_type',
      (s) => raw(s, 'POST', path, { 'content-type': 'application/json; charset=utf-7' }, '{}'),
    ],
    [
      'another encoding',
      415,
      'unsupported_media_type',
      (s) => raw(s, 'POST', path, { ...json, 'content-encoding': 'compress' }, '{}'),
    ],
    [
      'a false encoding',
      400,
      'invalid_request',
      (s) => raw(s, 'POST', path, { ...json, 'content-encoding': 'gzip' }, '{}'),
    ],
    ['an unknown path', 404, 'not_found', (s) => call(s, 'GET', '/v1/nothing')],
    ['an unknown app', 404, 'not_found', (s) => call(s, 'POST', '/v1/apps/nobody/telegram/login', { body: {} })],
    ['percent rubbish', 400, 'invalid_request', (s) => raw(s, 'POST', '/v1/apps/%E0%A4%A/telegram/login', json, '{}')],
    [
      'a zero byte in the path',
      400,
      'invalid_request',
      (s) => raw(s, 'POST', '/v1/apps/a%00b/telegram/login', json, '{}'),
    ],
    ['a path that climbs', 404, 'not_found', (s) => raw(s, 'GET', '/v1/apps/..%2f..%2fetc/passwd')],
    ['a very long path', 404, 'not_found', (s) => raw(s, 'GET', `/${'a'.repeat(8000)}`)],
    ['SQL in the path', 404, 'not_found', (s) => raw(s, 'POST', "/v1/apps/x'%20or%20'1'='1/ton/nonce", json, '{}')],
    [
      'very deep JSON',
      400,
      'invalid_request',
      (s) => call(s, 'POST', path, { body: `{"initData":${'['.repeat(100_000)}${']'.repeat(100_000)}}` }),
    ],
    [
      'deep objects',
      400,
      'invalid_request',
      (s) => call(s, 'POST', path, { body: `{"loginWidget":${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}}` }),
    ],
    [
      'a prototype',
      400,
      'invalid_request',
      (s) =>
        call(s, 'POST', path, { body: '{"__proto__":{"initData":"x"},"constructor":{"prototype":{"polluted":1}}}' }),
    ],
    [
      'a prototype in the widget',
      400,
      'invalid_request',
      (s) => call(s, 'POST', path, { body: '{"loginWidget":{"__proto__":{"polluted":1}}}' }),
    ],
    [
      'zero bytes in the body',
      400,
      'invalid_request',
      (s) => call(s, 'POST', path, { body: { initData: 'a=b\u0000&hash=\u0000' } }),
    ],
    ['half a surrogate pair', 400, 'invalid_request', (s) => call(s, 'POST', path, { body: '{"initData":"\\ud800"}' })],
    [
      'zero bytes in an address',
      400,
      'invalid_request',
      (s) => call(s, 'POST', '/v1/apps/ton-quest/ton/nonce', { body: { address: '0:\u0000' } }),
    ],
  ])('%s: %i', async (_, status, code, act) => {
    const server = await startServer()
    await telegramApp(server)
    expectProblem(await act(server), status, code)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

test('a path that exists with other methods says with which', async () => {
  const server = await startServer()
  await telegramApp(server)
  for (const [path, method, allow] of [
    ['/v1/session', 'POST', 'GET'],
    ['/v1/token/refresh', 'GET', 'POST'],
    ['/v1/logout', 'GET', 'POST'],
    ['/v1/logout/all', 'GET', 'POST'],
    ['/v1/me', 'POST', 'GET, PATCH, DELETE'],
    ['/v1/me/export', 'POST', 'GET'],
    ['/v1/me/sessions', 'DELETE', 'GET'],
    ['/v1/me/sessions/x', 'GET', 'DELETE'],
    ['/v1/apps/ton-quest/telegram/login', 'GET', 'POST'],
    ['/v1/apps/ton-quest/ton/nonce', 'GET', 'POST'],
    ['/v1/apps/ton-quest/ton/login', 'PUT', 'POST'],
    ['/healthz', 'POST', 'GET'],
    ['/readyz', 'DELETE', 'GET'],
    ['/.well-known/jwks.json', 'POST', 'GET'],
  ] as const) {
    const answer = await call(server, method, path)
    expectProblem(answer, 405, 'method_not_allowed', path)
    expect(answer.headers.get('allow'), path).toBe(allow)
  }
})

test('of a name that stands twice in JSON one value is checked and used: the last', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const good = JSON.stringify(initData(alice, server.clock.now))
  const login = (body: string) => call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, { body })
  expect((await login(`{"initData":"x","initData":${good}}`)).status).toBe(200)
  expect((await login(`{"initData":${good},"initData":"x=y"}`)).status).toBe(400)
})

test('headers too big and bytes that are no HTTP end the connection with a status, and nothing else stops', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const talk = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write(text))
      let answer = ''
      socket
        .on('data', (part: Buffer) => (answer += part.toString()))
        .on('close', () => resolve(answer))
        .on('error', reject)
    })
  expect(await talk(`GET /v1/session HTTP/1.1\r\nhost: x\r\nx-big: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  )
  expect(await talk('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  expect(await talk('GET / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  // Two lengths are the stuff of request smuggling.
  const smuggled =
    'POST /v1/logout HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'
  expect(await talk(smuggled)).toMatch(/^HTTP\/1.1 400 /)
  expect((await signInWithTelegram(server, app)).status).toBe(200)
})

test('every answer carries the security headers, and none names the software', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const login = await signInWithTelegram(server, app)
  for (const answer of [login, await call(server, 'GET', '/nothing'), await call(server, 'GET', '/healthz')]) {
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(answer.headers.get('x-frame-options')).toBe('DENY')
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-powered-by')).toBeNull()
    expect(answer.headers.get('server')).toBeNull()
    expect(answer.headers.get('etag')).toBeNull()
    expect(answer.headers.get('set-cookie')).toBeNull()
  }
})

describe('cross-origin calls', () => {
  const origin = 'https://quest.example.com'
  const preflight = (server: TestServer, path: string, from: string) =>
    raw(server, 'OPTIONS', path, { origin: from, 'access-control-request-method': 'POST' })

  test('are allowed to origins that are listed, byte for byte', async () => {
    const server = await startServer()
    const app = await telegramApp(server, { allowedOrigins: [origin] })
    const other = await telegramApp(server, { slug: 'other', allowedOrigins: ['https://other.example.com'] })
    const path = `/v1/apps/${app.slug}/telegram/login`
    for (const at of [path, `/v1/apps/${app.publicId}/ton/nonce`, '/v1/session']) {
      const allowed = await preflight(server, at, origin)
      expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, origin])
      expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization')
      expect(allowed.headers.get('access-control-allow-credentials')).toBeNull()
      expect(allowed.headers.get('vary')).toContain('Origin')
    }
    for (const bad of [
      'https://quest.example.com.evil.com',
      'https://evilquest.example.com',
      'https://quest.example.com:444',
      'https://quest.example.com/',
      'http://quest.example.com',
      'https://QUEST.example.com',
      'https://questxexample.com',
      'https://x.quest.example.com',
      'null',
      '*',
      '',
      'https://other.example.com',
    ]) {
      const refused = await preflight(server, path, bad)
      expect(refused.headers.get('access-control-allow-origin'), bad).toBeNull()
      const answer = await call(server, 'POST', path, { body: {}, headers: { origin: bad } })
      expect(answer.headers.get('access-control-allow-origin'), bad).toBeNull()
    }
    expect(
      (await preflight(server, `/v1/apps/${other.slug}/ton/nonce`, origin)).headers.get('access-control-allow-origin'),
    ).toBeNull()
  })

  test('can read refusals too', async () => {
    const server = await startServer()
    const app = await telegramApp(server, { allowedOrigins: [origin] })
    const answer = await call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, { body: {}, headers: { origin } })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([400, origin])
    const refused = await call(server, 'GET', '/v1/session', { headers: { origin } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin])
  })

  test('follow a change of the list at once on the paths of the app', async () => {
    const server = await startServer()
    const app = await telegramApp(server, { allowedOrigins: [origin] })
    const path = `/v1/apps/${app.slug}/ton/nonce`
    expect((await preflight(server, path, origin)).headers.get('access-control-allow-origin')).toBe(origin)
    await changeApp(server.runtime, cliActor, app.id, { allowedOrigins: [] })
    expect((await preflight(server, path, origin)).headers.get('access-control-allow-origin')).toBeNull()
  })
})

test('a caller says nothing about itself that counts: no header makes a user', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const login = (await signInWithTelegram(server, app)).body
  for (const path of ['/v1/session', '/v1/me', '/v1/me/export', '/v1/me/sessions'])
    for (const suffix of ['', '?userId=1', '?access_token=x', '.svg', '/', '/_app/x.css', '%2f', ';x=.css']) {
      const answer = await raw(server, 'GET', path + suffix, {
        'x-user-id': login['user'].id,
        'x-forwarded-user': login['user'].id,
        'x-original-url': '/healthz',
        'user-agent': 'kube-probe/1.30',
      })
      expect([401, 404], path + suffix).toContain(answer.status)
    }
  expect((await checkSession(server, login['accessToken'])).status).toBe(200)
})
