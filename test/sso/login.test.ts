import type { ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { dumpDatabase } from '../support/dump.ts'
import { freshDatabase } from '../support/database.ts'
import { call, startServer } from '../support/server.ts'
import { answerJson, goodClaims, openLoopback, ssoLogin, startSso, startTokenInfo } from '../support/tokenInfo.ts'
import { checkSession } from '../support/signIn.ts'

describe('signing in with a token of the app', () => {
  test('opens a session for (app, sub), the same person next time', async () => {
    const { server, app } = await startSso()
    const first = await ssoLogin(server, app)
    expect(first.status).toBe(200)
    expect(first.body['session']).toMatchObject({ method: 'sso', appId: app.publicId })
    expect(first.body['user']).toMatchObject({ name: 'Ann', email: 'ann@example.com', isNew: true })
    expect((await checkSession(server, first.body['accessToken'])).status).toBe(200)
    const second = await ssoLogin(server, app, 'token-2')
    expect(second.body['user']).toMatchObject({ id: first.body['user'].id, isNew: false })
    expect(second.body['evictedSessions']).toEqual([first.body['session'].id])
    expect((await checkSession(server, first.body['accessToken'])).body).toMatchObject({
      code: 'session_revoked',
      reason: 'limit_exceeded',
    })
  })

  test('never joins people by their e-mail', async () => {
    const { server, tokenInfo, app } = await startSso()
    const ids = new Set<string>()
    for (const sub of ['1', '2', '01', '1 ', '\u0661', '__proto__', 'x'.repeat(255)]) {
      tokenInfo.says(goodClaims(server, { sub, email: 'same@example.com', email_verified: true }))
      const login = await ssoLogin(server, app, `token-of-${encodeURIComponent(sub)}`)
      expect(login.status).toBe(200)
      ids.add(login.body['user'].id)
    }
    expect(ids.size).toBe(7)
  })

  test('keeps the people of two apps apart', async () => {
    const { server, tokenInfo, app } = await startSso()
    const other = await server.createApp({ slug: 'other', sso: { tokenInfoUrl: tokenInfo.url, audiences: ['tomo'] } })
    const [one, two] = [await ssoLogin(server, app), await ssoLogin(server, other)]
    expect(one.body['user'].id).not.toBe(two.body['user'].id)
    expect(tokenInfo.asked.length).toBe(2)
  })

  test.each([
    ['bearer', 'GET', { url: '/tokeninfo?v=1', authorization: 'Bearer tok+en/1=', body: '' }],
    ['bearer', 'POST', { url: '/tokeninfo?v=1', authorization: 'Bearer tok+en/1=', body: '' }],
    ['query:id_token', 'GET', { url: '/tokeninfo?v=1&id_token=tok%2Ben%2F1%3D', authorization: undefined, body: '' }],
    ['form:token', 'POST', { url: '/tokeninfo?v=1', authorization: undefined, body: 'token=tok%2Ben%2F1%3D' }],
    [
      'json:accessToken',
      'POST',
      { url: '/tokeninfo?v=1', authorization: undefined, body: '{"accessToken":"tok+en/1="}' },
    ],
  ] as const)('sends the token as %s by %s, with the secret headers', async (tokenIn, method, expected) => {
    const { server, tokenInfo, app } = await startSso()
    await changeApp(server.runtime, cliActor, app.id, {
      sso: { tokenInfoUrl: `${tokenInfo.url}?v=1`, tokenIn, method, headers: { 'X-Api-Key': 'k-e-y' } },
    })
    expect((await ssoLogin(server, app, 'tok+en/1=')).status).toBe(200)
    const [asked] = tokenInfo.asked
    const { url, authorization, body } = expected
    expect(asked).toMatchObject({ method, url, body })
    expect(asked!.headers).toMatchObject({ accept: 'application/json', 'x-api-key': 'k-e-y' })
    expect(asked!.headers.authorization).toBe(authorization)
  })

  test('leaves neither the token nor the secret headers anywhere', async () => {
    const databaseUrl = await freshDatabase()
    const { server, tokenInfo, app } = await startSso(
      { sso: { headers: { 'x-api-key': 'key-7e51c0de' }, tokenIn: 'query:t' } },
      { databaseUrl },
    )
    expect((await ssoLogin(server, app, 'token-5ec7e7')).status).toBe(200)
    tokenInfo.answer = (_asked, response) => response.writeHead(500).end('token-5ec7e7b')
    const refused = await ssoLogin(server, app, 'token-5ec7e7b')
    tokenInfo.answer = (_asked, response) => response.destroy()
    const failed = await ssoLogin(server, app, 'token-5ec7e7c')
    expect([refused.status, failed.status]).toEqual([401, 502])
    for (const text of [
      server.logged(),
      await dumpDatabase(databaseUrl),
      JSON.stringify([refused.body, failed.body]),
    ]) {
      expect(text).not.toContain('5ec7e7')
      expect(text).not.toContain('7e51c0de')
    }
  })

  test('is refused for an app without a tokenInfoURL, one switched off, and a blocked user', async () => {
    const { server, app } = await startSso()
    const plain = await server.createApp({ slug: 'plain' })
    expect((await ssoLogin(server, plain)).body).toMatchObject({ code: 'invalid_request' })
    const login = await ssoLogin(server, app)
    await changeApp(server.runtime, cliActor, app.id, { disabled: true })
    expect((await ssoLogin(server, app)).body).toMatchObject({ status: 403, code: 'app_disabled' })
    expect((await checkSession(server, login.body['accessToken'])).status).toBe(403)
  })

  test.each([undefined, null, 1, '', ' ', 'a b', 'a\r\nx: y', 'a\u0000', 'ü', 'x'.repeat(8193), ['a'], { a: 1 }])(
    'wants a token as a token is: %j',
    async (token) => {
      const { server, tokenInfo, app } = await startSso()
      const answer = await call(server, 'POST', `/v1/apps/${app.slug}/sso/login`, { body: { token } })
      expect(answer.body).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path: 'token' }] })
      expect(tokenInfo.asked).toEqual([])
    },
  )
})

describe('a token is not accepted', () => {
  const now = Date.parse('2026-06-01T12:00:00Z') / 1000

  test.each<[string, unknown, string]>([
    ['sub', undefined, 'sub is missing'],
    ['sub', null, 'sub is missing'],
    ['sub', '', 'sub is empty'],
    ['sub', 5, 'sub is not a text'],
    ['sub', ['a'], 'sub is not a text'],
    ['sub', { a: 1 }, 'sub is not a text'],
    ['sub', 'x'.repeat(256), 'sub is longer than 255 characters'],
    ['sub', '\ud800', 'sub is not valid Unicode'],
    ['iat', undefined, 'iat is missing'],
    ['iat', 'yesterday', 'iat is not a number of seconds'],
    ['iat', '-5', 'iat is not a number of seconds'],
    ['iat', '0x10', 'iat is not a number of seconds'],
    ['iat', true, 'iat is not a number of seconds'],
    ['iat', [now], 'iat is not a number of seconds'],
    ['iat', now + 31, 'iat lies 31 s in the future'],
    ['iat', String(now + 31), 'iat lies 31 s in the future'],
    ['exp', undefined, 'exp is missing'],
    ['exp', '', 'exp is not a number of seconds'],
    ['exp', now - 30, 'exp passed 30 s ago'],
    ['exp', String(now - 30), 'exp passed 30 s ago'],
    ['exp', 0, expect.stringMatching(/^exp passed \d+ h ago$/) as unknown as string],
    ['aud', undefined, 'aud is missing'],
    ['aud', '', "aud is not one of this app's audience IDs"],
    ['aud', 'tomo2', "aud is not one of this app's audience IDs"],
    ['aud', 'Tomo', "aud is not one of this app's audience IDs"],
    ['aud', 'tomo ', "aud is not one of this app's audience IDs"],
    ['aud', [], "aud is not one of this app's audience IDs"],
    ['aud', ['a', 'b'], "aud is not one of this app's audience IDs"],
    ['aud', ['tomo', 5], 'aud is neither a text nor a list of texts'],
    ['aud', [['tomo']], 'aud is neither a text nor a list of texts'],
    ['aud', { tomo: true }, 'aud is neither a text nor a list of texts'],
    ['active', false, 'active says that the token is not valid any more'],
  ])('when %s is %j', async (claim, value, detail) => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.says(goodClaims(server, { [claim]: value }))
    const answer = await ssoLogin(server, app)
    expect(answer.body).toMatchObject({ status: 401, code: 'sso_token_rejected', detail, claims: [claim] })
  })

  test.each<Record<string, unknown>>([
    { iat: now + 30 },
    { iat: String(now) },
    { exp: now - 29 },
    { exp: String(now + 5) },
    { aud: ['other', 'tomo'] },
    { email: undefined, name: undefined },
    { email: 5, name: { first: 'Ann' } },
    { email: 'no address', name: 'a\nb' },
  ])('but is within its limits: %j', async (more) => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.says(goodClaims(server, more))
    expect((await ssoLogin(server, app)).status).toBe(200)
  })

  test('when the app has no audience ID at all', async () => {
    const { server, app } = await startSso({ sso: { audiences: [] } })
    const answer = await ssoLogin(server, app)
    expect(answer.body).toMatchObject({ code: 'sso_token_rejected', claims: ['aud'] })
    await changeApp(server.runtime, cliActor, app.id, { audiences: ['tomo'] })
    expect((await ssoLogin(server, app)).status).toBe(200)
  })

  test.each([201, 202, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 429, 500, 503])(
    'when the answer is %i, whatever it says',
    async (status) => {
      const { server, tokenInfo, app } = await startSso()
      tokenInfo.answer = (_asked, response) => {
        response.writeHead(status, { 'content-type': 'application/json', location: `${tokenInfo.url}?elsewhere` })
        response.end(JSON.stringify(goodClaims(server)))
      }
      expect((await ssoLogin(server, app)).body).toMatchObject({ status: 401, code: 'sso_token_rejected' })
      expect(tokenInfo.asked.length).toBe(1)
    },
  )
})

describe('a tokenInfoURL that fails', () => {
  const nothing = async (port: number) => `http://127.0.0.1:${port}/`

  /** A server that does as it is told with each connection. */
  async function tcp(serve: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => serve(socket.on('error', () => {})))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return nothing((server.address() as AddressInfo).port)
  }
  const json = (body: string) => (socket: Socket) =>
    void socket.end(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )

  test.each<[string, number, (socket: Socket) => void]>([
    ['with nothing', 502, (socket) => void socket.destroy()],
    ['with what is not HTTP', 502, (socket) => void socket.end('hello\r\n\r\n')],
    ['with an empty body', 502, json('')],
    ['with broken JSON', 502, json('{"sub":"a"')],
    ['with a list', 502, json('[{"sub":"a"}]')],
    ['with null', 502, json('null')],
    ['with a text', 502, json('"sub"')],
    ['with JSON of 65 KiB', 502, json(JSON.stringify({ sub: 'a', more: 'x'.repeat(66_000) }))],
    [
      'with a page',
      502,
      (s) => void s.end('HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}'),
    ],
    ['never', 504, () => {}],
    ['too slowly', 504, (socket) => void drip(socket)],
  ])('answers %s: never a session', async (_name, status, serve) => {
    const server = await startServer({ env: openLoopback })
    const app = await server.createApp({
      sso: { tokenInfoUrl: await tcp(serve), audiences: ['tomo'], timeoutMs: 300 },
    })
    const started = performance.now()
    const answer = await ssoLogin(server, app)
    expect(answer.body).toMatchObject({
      status,
      code: status === 504 ? 'sso_upstream_timeout' : 'sso_upstream_failed',
    })
    expect(performance.now() - started).toBeLessThan(2_000)
    expect(JSON.stringify(answer.body)).not.toContain('127.0.0.1')
  })

  test('because its address is not public is not called', async () => {
    const server = await startServer()
    const tokenInfo = await startTokenInfo()
    const app = await server.createApp({ sso: { tokenInfoUrl: tokenInfo.url, audiences: ['tomo'] } })
    expect((await ssoLogin(server, app)).body).toMatchObject({ status: 502, code: 'sso_upstream_failed' })
    expect(tokenInfo.asked).toEqual([])
    expect(server.logged()).toContain('name it in GATEHOUSE_ALLOW_NETWORKS as 127.0.0.1/32')
  })

  test('five times in a row is left alone for ten seconds, then tried once', async () => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) => response.destroy()
    for (let n = 0; n < 5; n++) expect((await ssoLogin(server, app, `a${n}`)).status).toBe(502)
    const open = await ssoLogin(server, app, 'b')
    expect(open.body).toMatchObject({ status: 503, code: 'sso_upstream_unavailable' })
    expect(open.headers.get('retry-after')).toBe('10')
    expect(tokenInfo.asked.length).toBe(5)

    server.clock.pass(10)
    const tries = await Promise.all(['c', 'd', 'e'].map((token) => ssoLogin(server, app, token)))
    expect(tries.map(({ status }) => status).sort()).toEqual([502, 503, 503])
    expect(tokenInfo.asked.length).toBe(6)
    expect((await ssoLogin(server, app, 'f')).status).toBe(503)

    server.clock.pass(10)
    tokenInfo.says(goodClaims(server))
    expect((await ssoLogin(server, app, 'g')).status).toBe(200)
    expect((await ssoLogin(server, app, 'h')).status).toBe(200)
  })

  test.each<[string, number, string, (response: ServerResponse) => unknown]>([
    ['nothing', 502, 'open', (response) => response.destroy()],
    ['a page', 502, 'open', (response) => response.setHeader('content-type', 'text/html').end('<p>')],
    ['broken JSON', 502, 'open', (response) => response.setHeader('content-type', 'application/json').end('{')],
    ['too much', 502, 'open', (response) => answerJson(response, { more: 'x'.repeat(70_000) })],
    ['500', 401, 'closed', (response) => response.writeHead(500).end()],
    ['503', 401, 'closed', (response) => response.writeHead(503).end()],
    ['401', 401, 'closed', (response) => response.writeHead(401).end()],
    ['a redirect', 401, 'closed', (response) => response.writeHead(302, { location: '/' }).end()],
    ['wrong claims', 401, 'closed', (response) => answerJson(response, { sub: 'a' })],
  ])(
    'opens the circuit by what says nothing of a token, never by what refuses it: %s',
    async (_name, status, state, answer) => {
      const { server, tokenInfo, app } = await startSso()
      tokenInfo.answer = (_asked, response) => void answer(response)
      for (let n = 0; n < 5; n++) expect((await ssoLogin(server, app, `a${n}`)).status).toBe(status)
      tokenInfo.says(goodClaims(server))
      expect((await ssoLogin(server, app, 'good')).status).toBe(state === 'open' ? 503 : 200)
    },
  )

  test('with a status of its own tells which, for a client that may try the same token again', async () => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) => response.writeHead(503).end()
    expect((await ssoLogin(server, app)).body).toMatchObject({
      code: 'sso_token_rejected',
      upstreamStatus: 503,
      detail: expect.stringContaining('the same token may hold later'),
    })
    tokenInfo.answer = (_asked, response) => response.writeHead(403).end()
    const refused = (await ssoLogin(server, app)).body
    expect(refused).toMatchObject({ code: 'sso_token_rejected', upstreamStatus: 403 })
    expect(refused['detail']).not.toContain('later')
  })

  test('four times and then answers has not failed five times in a row', async () => {
    const { server, tokenInfo, app } = await startSso()
    for (const round of [1, 2, 3]) {
      tokenInfo.answer = (_asked, response) => response.destroy()
      for (let n = 0; n < 4; n++) expect((await ssoLogin(server, app, `${round}-${n}`)).status).toBe(502)
      tokenInfo.answer = (_asked, response) => response.writeHead(401).end()
      expect((await ssoLogin(server, app, `${round}-ok`)).status).toBe(401)
    }
  })

  test('does not keep a mended URL from working at once', async () => {
    const { server, tokenInfo, app } = await startSso()
    const good = tokenInfo.url
    await changeApp(server.runtime, cliActor, app.id, { sso: { tokenInfoUrl: good.replace('127.0.0.1', '127.0.0.2') } })
    for (let n = 0; n < 6; n++) await ssoLogin(server, app, `a${n}`)
    expect((await ssoLogin(server, app, 'b')).status).toBe(503)
    await changeApp(server.runtime, cliActor, app.id, { sso: { tokenInfoUrl: good } })
    expect((await ssoLogin(server, app, 'c')).status).toBe(200)
  })

  test('is no matter of another app, even with the same server', async () => {
    const { server, tokenInfo, app } = await startSso({ sso: { timeoutMs: 10_000 } })
    const other = await server.createApp({ slug: 'other', sso: { tokenInfoUrl: tokenInfo.url, audiences: ['tomo'] } })
    tokenInfo.answer = (asked, response) => {
      if (!asked.headers.authorization?.includes('hang')) answerJson(response, goodClaims(server))
    }
    const hanging = Array.from({ length: 300 }, (_, n) => ssoLogin(server, app, `hang-${n}`))
    hanging.forEach((login) => login.catch(() => {}))
    for (let n = 0; n < 5; n++) expect((await ssoLogin(server, other, `other-${n}`)).status).toBe(200)
  })
})

describe('what is remembered of a token', () => {
  test('a hundred logins with one token at once make one call, and leave one session', async () => {
    const { server, tokenInfo, app } = await startSso()
    const logins = await Promise.all(Array.from({ length: 100 }, () => ssoLogin(server, app)))
    expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]))
    expect(tokenInfo.asked.length).toBe(1)
    const checks = await Promise.all(logins.map(({ body }) => checkSession(server, body['accessToken'])))
    expect(checks.filter(({ status }) => status === 200).length).toBe(1)
  }, 30_000)

  test('a refused one is asked about again after five seconds', async () => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) => response.writeHead(401).end()
    for (let n = 0; n < 3; n++) expect((await ssoLogin(server, app)).status).toBe(401)
    expect(tokenInfo.asked.length).toBe(1)
    tokenInfo.says(goodClaims(server))
    server.clock.pass(4)
    expect((await ssoLogin(server, app)).status).toBe(401)
    server.clock.pass(1)
    expect((await ssoLogin(server, app)).status).toBe(200)
    expect(tokenInfo.asked.length).toBe(2)
  })

  test('an accepted one is asked about again after a second, and never holds past its exp', async () => {
    const { server, tokenInfo, app } = await startSso({ sso: { clockSkew: 0 } })
    tokenInfo.says(goodClaims(server, { exp: server.clock.now.getTime() / 1000 + 0.5 }))
    expect((await ssoLogin(server, app)).status).toBe(200)
    server.clock.pass(0.5)
    expect((await ssoLogin(server, app)).body).toMatchObject({ code: 'sso_token_rejected', claims: ['exp'] })
    expect(tokenInfo.asked.length).toBe(1)
    server.clock.pass(0.5)
    tokenInfo.answer = (_asked, response) => response.writeHead(401).end()
    expect((await ssoLogin(server, app)).status).toBe(401)
    expect(tokenInfo.asked.length).toBe(2)
  })

  test('nothing outlives a change of the settings it was judged by', async () => {
    const { server, tokenInfo, app } = await startSso()
    expect((await ssoLogin(server, app)).status).toBe(200)
    await changeApp(server.runtime, cliActor, app.id, { sso: { audiences: ['another'] } })
    expect((await ssoLogin(server, app)).body).toMatchObject({ code: 'sso_token_rejected', claims: ['aud'] })
    expect(tokenInfo.asked.length).toBe(2)
  })

  test('a server that failed is asked again at once', async () => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) => response.writeHead(503).end()
    expect((await ssoLogin(server, app)).status).toBe(401)
    tokenInfo.says(goodClaims(server))
    expect((await ssoLogin(server, app)).status).toBe(200)
  })
})

function drip(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n')
  const timer = setInterval(() => socket.write(' '), 20)
  socket.on('close', () => clearInterval(timer))
}
