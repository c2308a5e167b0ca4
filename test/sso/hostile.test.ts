import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { findSessionRow } from '../../server/session/store.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { goodClaims, openLoopback, ssoLogin, startSso } from '../support/tokenInfo.ts'

/** What an app's own server may say that is wrong; whatever it is, nobody gets in by it. */

const json = (body: string | Buffer) => (response: ServerResponse) =>
  response.setHeader('content-type', 'application/json').end(body)
const without = (claims: Record<string, unknown>, name: string, raw: string) =>
  JSON.stringify({ ...claims, [name]: '@' }).replace('"@"', raw)

/** The first session would have the number 1. */
const expectNobody = async (server: TestServer) => expect(await findSessionRow(server.runtime.db, 1)).toBeUndefined()

/** One sign-in, and that it made no session. */
async function refusedBy(server: TestServer, app: App, token = 'token-1') {
  const answer = await ssoLogin(server, app, token)
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
  await expectNobody(server)
  return answer
}

describe('an answer of 200', () => {
  type Answer = (claims: Record<string, unknown>) => string | Buffer
  test.each<[string, string | RegExp, Answer]>([
    // What has no meaning as JSON.
    ['NaN for exp', 'sso_upstream_failed', (good) => without(good, 'exp', 'NaN')],
    ['Infinity for exp', 'sso_upstream_failed', (good) => without(good, 'exp', 'Infinity')],
    ['a hexadecimal exp', 'sso_upstream_failed', (good) => without(good, 'exp', '0x7fffffff')],
    ['a comma too many', 'sso_upstream_failed', (good) => `${JSON.stringify(good).slice(0, -1)},}`],
    ['a comment', 'sso_upstream_failed', (good) => `/**/${JSON.stringify(good)}`],
    ['two documents', 'sso_upstream_failed', (good) => JSON.stringify(good).repeat(2)],
    ['JSON in a text', 'sso_upstream_failed', (good) => JSON.stringify(JSON.stringify(good))],
    ['a list of claims', 'sso_upstream_failed', (good) => JSON.stringify([good])],
    [
      'bytes that are no UTF-8',
      'sso_upstream_failed',
      (good) => Buffer.from(JSON.stringify({ ...good, sub: 'é' }), 'latin1'),
    ],
    ['UTF-16', 'sso_upstream_failed', (good) => Buffer.from(JSON.stringify(good), 'utf16le')],
    ['60,000 open brackets', 'sso_upstream_failed', () => '['.repeat(60_000)],
    ['what is packed though nobody asked for it', 'sso_upstream_failed', (good) => gzipSync(JSON.stringify(good))],
    ['a gzip bomb', 'sso_upstream_failed', () => gzipSync(Buffer.alloc(50_000_000, 32))],
    // What is JSON, and not the claims of anybody.
    ['exp beyond all numbers', 'exp is not a number of seconds', (good) => without(good, 'exp', '1e400')],
    ['a negative exp', /^exp passed \d+ h ago$/, (good) => JSON.stringify({ ...good, exp: -1 })],
    [
      'exp in milliseconds as iat',
      /^iat lies \d+ h in the future$/,
      (good) => JSON.stringify({ ...good, iat: Number(good['iat']) * 1000 }),
    ],
    [
      'exp with digits of another script',
      'exp is not a number of seconds',
      (good) => JSON.stringify({ ...good, exp: '٢٠٠٠٠٠٠٠٠٠' }),
    ],
    [
      'exp as a text with a point',
      'exp is not a number of seconds',
      (good) => JSON.stringify({ ...good, exp: `${String(good['exp'])}.0` }),
    ],
    [
      'exp with blanks',
      'exp is not a number of seconds',
      (good) => JSON.stringify({ ...good, exp: ` ${String(good['exp'])}` }),
    ],
    [
      'exp as an object',
      'exp is not a number of seconds',
      (good) => JSON.stringify({ ...good, exp: { valueOf: 9e9 } }),
    ],
    ['sub as a number', 'sub is not a text', (good) => JSON.stringify({ ...good, sub: 987_654_321 })],
    ['sub false', 'sub is not a text', (good) => JSON.stringify({ ...good, sub: false })],
    ['sub empty', 'sub is empty', (good) => JSON.stringify({ ...good, sub: '' })],
    [
      'sub of 256 characters',
      'sub is longer than 255 characters',
      (good) => JSON.stringify({ ...good, sub: 'x'.repeat(256) }),
    ],
    [
      'sub of 256 characters beyond 16 bits',
      'sub is longer than 255 characters',
      (good) => JSON.stringify({ ...good, sub: '😀'.repeat(256) }),
    ],
    ['sub that ends in half a character', 'sub is not valid Unicode', (good) => without(good, 'sub', '"a\\ud83d"')],
    [
      'aud in a list in a list',
      'aud is neither a text nor a list of texts',
      (good) => JSON.stringify({ ...good, aud: [['tomo']] }),
    ],
    [
      'aud beside what is no text',
      'aud is neither a text nor a list of texts',
      (good) => JSON.stringify({ ...good, aud: ['tomo', null] }),
    ],
    [
      'aud as a list in a text',
      "aud is not one of this app's audience IDs",
      (good) => JSON.stringify({ ...good, aud: 'tomo,other' }),
    ],
    [
      'aud by another spelling',
      "aud is not one of this app's audience IDs",
      (good) => JSON.stringify({ ...good, aud: 'to\u200bmo' }),
    ],
    [
      'claims within claims',
      /^sub is missing; iat is missing; exp is missing; aud is missing$/,
      (good) => JSON.stringify({ claims: good }),
    ],
    [
      'claims of a prototype',
      /^sub is missing; iat is missing; exp is missing; aud is missing$/,
      (good) => `{"__proto__":${JSON.stringify(good)}}`,
    ],
    ['claims of a constructor', /^sub is missing;/, (good) => `{"constructor":{"prototype":${JSON.stringify(good)}}}`],
    [
      'names in capitals',
      /^sub is missing;/,
      (good) =>
        JSON.stringify(Object.fromEntries(Object.entries(good).map(([name, value]) => [name.toUpperCase(), value]))),
    ],
    ['active: true and nothing else', /^sub is missing;/, () => '{"active":true}'],
    // Of a name that stands twice the last one counts (RFC 7519 §4), and so it has to hold.
    ['sub twice, the last empty', 'sub is empty', (good) => `${JSON.stringify(good).slice(0, -1)},"sub":""}`],
    [
      'aud twice, the last foreign',
      "aud is not one of this app's audience IDs",
      (good) => `${JSON.stringify(good).slice(0, -1)},"aud":"else"}`,
    ],
    ['exp twice, the last over', /^exp passed/, (good) => `${JSON.stringify(good).slice(0, -1)},"\\u0065xp":5}`],
  ])('with %s signs nobody in', async (_name, expected, answer) => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) => void json(answer(goodClaims(server)))(response)
    const { status, body } = await refusedBy(server, app)
    if (expected === 'sso_upstream_failed') expect([status, body['code']]).toEqual([502, expected])
    else {
      expect([status, body['code']]).toEqual([401, 'sso_token_rejected'])
      if (typeof expected === 'string') expect(body['detail']).toBe(expected)
      else expect(body['detail']).toMatch(expected)
    }
    expect(Object.prototype).not.toHaveProperty('sub')
  })

  test.each<[string, Answer]>([
    ['a byte order mark', (good) => `\ufeff${JSON.stringify(good)}`],
    ['white space all around', (good) => ` \r\n\t${JSON.stringify(good)}\n`],
    [
      'what is deep, but beside the claims',
      (good) => without(good, 'more', `${'['.repeat(30_000)}${']'.repeat(30_000)}`),
    ],
    [
      'times with fractions',
      (good) => JSON.stringify({ ...good, iat: Number(good['iat']) + 0.5, exp: Number(good['exp']) + 0.999 }),
    ],
    [
      'times as digits',
      (good) => JSON.stringify({ ...good, iat: String(good['iat']), exp: `000${String(good['exp'])}` }),
    ],
    [
      'an audience among many',
      (good) => JSON.stringify({ ...good, aud: [...Array.from({ length: 1_000 }, (_, n) => `a${n}`), 'tomo'] }),
    ],
    ['sub of 255 characters beyond 16 bits', (good) => JSON.stringify({ ...good, sub: '😀'.repeat(255) })],
    ['sub with a zero character', (good) => without(good, 'sub', '"a\\u0000b"')],
    ['sub called __proto__', (good) => JSON.stringify({ ...good, sub: '__proto__' })],
    ['name and e-mail that are odd', (good) => JSON.stringify({ ...good, name: '\u202eevil', email: ['a@b.c'] })],
    ['no type of content', (good) => JSON.stringify(good)],
  ])('with %s is understood', async (name, answer) => {
    const { server, tokenInfo, app } = await startSso()
    const body = answer(goodClaims(server))
    tokenInfo.answer = (_asked, response) =>
      void (name === 'no type of content' ? response.end(body) : json(body)(response))
    const login = await ssoLogin(server, app)
    expect([login.status, login.body['detail']]).toEqual([200, undefined])
  })

  test.each([
    'text/plain',
    'text/json',
    'text/html; charset=utf-8',
    'application/jsonp',
    'application/javascript',
    'application/x-json',
    'multipart/form-data',
    'application/octet-stream',
    'json',
    'application/json-seq',
    '',
  ])('of the type %j is not JSON', async (type) => {
    const { server, tokenInfo, app } = await startSso()
    tokenInfo.answer = (_asked, response) =>
      void response.setHeader('content-type', type).end(JSON.stringify(goodClaims(server)))
    expect((await refusedBy(server, app)).body).toMatchObject({ status: 502, code: 'sso_upstream_failed' })
  })

  test.each(['application/json', 'Application/JSON;charset=utf-8', 'application/token-introspection+json ; v=1'])(
    'of the type %j is JSON',
    async (type) => {
      const { server, tokenInfo, app } = await startSso()
      tokenInfo.answer = (_asked, response) =>
        void response.setHeader('content-type', type).end(JSON.stringify(goodClaims(server)))
      expect((await ssoLogin(server, app)).status).toBe(200)
    },
  )

  test('of exactly 64 KiB is read, and of a byte more is not', async () => {
    const { server, tokenInfo, app } = await startSso()
    const padded = (size: number) => {
      const claims = JSON.stringify(goodClaims(server))
      return claims + ' '.repeat(size - claims.length)
    }
    tokenInfo.answer = (_asked, response) => void json(padded(65_536))(response)
    expect((await ssoLogin(server, app, 'fits')).status).toBe(200)
    tokenInfo.answer = (_asked, response) => void json(padded(65_537))(response)
    expect((await ssoLogin(server, app, 'announced')).body).toMatchObject({ status: 502 })
    tokenInfo.answer = (_asked, response) => {
      response.setHeader('content-type', 'application/json')
      response.write(padded(65_536))
      response.end(' ')
    }
    expect((await ssoLogin(server, app, 'in parts')).body).toMatchObject({ status: 400 })
    expect((await ssoLogin(server, app, 'in-parts')).body).toMatchObject({ status: 502 })
  })
})

describe('what goes wrong on the wire', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
  const good = JSON.stringify({ sub: 'a', iat: 1, exp: 9e9, aud: 'tomo' })
  const sized = `${head}content-length: ${good.length}\r\n`
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

  test.each<[string, number, string | ((socket: Socket) => void)]>([
    ['chunks whose sizes are no numbers', 502, `${head}transfer-encoding: chunked\r\n\r\nzz\r\n${good}\r\n0\r\n\r\n`],
    ['chunks that end too early', 502, `${head}transfer-encoding: chunked\r\n\r\n${good.length.toString(16)}\r\n{`],
    ['chunks without an end', 502, `${head}transfer-encoding: chunked\r\n\r\n${chunk(good)}`],
    ['a length and chunks at once', 502, `${sized}transfer-encoding: chunked\r\n\r\n${chunk(good)}0\r\n\r\n`],
    ['two lengths', 502, `${sized}content-length: 1\r\n\r\n${good}`],
    ['a negative length', 502, `${head}content-length: -1\r\n\r\n${good}`],
    ['a length that is longer than the answer', 502, `${head}content-length: 900\r\n\r\n${good}`],
    ['a header with a zero byte', 502, `${sized}x-a: b\0c\r\n\r\n${good}`],
    ['a header of 100 KB', 502, `${sized}x-a: ${'a'.repeat(100_000)}\r\n\r\n${good}`],
    ['10,000 headers', 502, `${sized}${'x-a: b\r\n'.repeat(10_000)}\r\n${good}`],
    ['a status that is none', 502, `HTTP/1.1 abc OK\r\ncontent-length: ${good.length}\r\n\r\n${good}`],
    ['a status of 1000', 502, `HTTP/1.1 1000 OK\r\ncontent-length: ${good.length}\r\n\r\n${good}`],
    ['another protocol', 502, 'SSH-2.0-OpenSSH_9.9\r\n'],
    [
      'an upgrade nobody asked for',
      502,
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n${good}`,
    ],
    ['nothing', 504, () => {}],
    ['headers byte by byte', 504, (socket) => drip(socket, sized, '')],
    [
      'a body byte by byte',
      504,
      (socket) => drip(socket, `${good.slice(0, 20)}${' '.repeat(1_000)}`, `${head}content-length: 1020\r\n\r\n`),
    ],
    ['endless 103s', 504, (socket) => drip(socket, '', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n')],
  ])('%s ends on time, and never in a session', async (_name, status, answer) => {
    const sockets = new Set<Socket>()
    const upstream = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
      socket.once('data', () => (typeof answer === 'string' ? socket.end(answer) : answer(socket)))
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      upstream.close()
    })
    const server = await startServer({ env: openLoopback })
    const { port } = upstream.address() as AddressInfo
    const app = await server.createApp({
      sso: { tokenInfoUrl: `http://127.0.0.1:${port}/`, audiences: ['tomo'], timeoutMs: 400 },
    })
    const began = performance.now()
    const answered = await ssoLogin(server, app)
    expect(performance.now() - began).toBeLessThan(2_500)
    expect([answered.status, answered.body['code']]).toEqual([
      status,
      status === 504 ? 'sso_upstream_timeout' : 'sso_upstream_failed',
    ])
    await expectNobody(server)
  })
})

describe('a token made to break out', () => {
  const places = ['bearer', 'query:t', 'form:t', 'json:t'] as const
  const tokens = [
    'a\r\nx-injected: 1',
    'a\nb',
    'a\rb',
    'a b',
    'a\tb',
    'a\0b',
    'tökén',
    '𝓽',
    '\u2028',
    'a\u007f',
    'x'.repeat(65_536),
    'x'.repeat(8_193),
  ]
  const odd = [
    '"}{"sub":"x',
    '&t=other&admin=1',
    '%0d%0ax:1',
    '#',
    '?t=2',
    '../../',
    '%',
    '+',
    '\\',
    "';--",
    'x'.repeat(8_192),
  ]

  test.each(places)('goes out whole, or not at all, by %s', async (tokenIn) => {
    const method = tokenIn === 'bearer' || tokenIn.startsWith('query') ? 'GET' : 'POST'
    const { server, tokenInfo, app } = await startSso({ sso: { tokenIn, method } })
    for (const token of tokens)
      expect((await ssoLogin(server, app, token)).body).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(tokenInfo.asked).toEqual([])
    for (const token of odd) {
      expect((await ssoLogin(server, app, token)).status).toBe(200)
      const { url, headers, body } = tokenInfo.asked.at(-1)!
      expect(headers['x-injected']).toBeUndefined()
      const said = {
        bearer: () => [headers.authorization, url],
        'query:t': () => [...new URL(url, 'http://a').searchParams.getAll('t'), new URL(url, 'http://a').pathname],
        'form:t': () => [...new URLSearchParams(body).getAll('t'), url],
        'json:t': () => [(JSON.parse(body) as { t: string }).t, url],
      }[tokenIn]()
      expect(said).toEqual([tokenIn === 'bearer' ? `Bearer ${token}` : token, '/tokeninfo'])
      const names = {
        bearer: () => [],
        'query:t': () => [...new URL(url, 'http://a').searchParams.keys()],
        'form:t': () => [...new URLSearchParams(body).keys()],
        'json:t': () => Object.keys(JSON.parse(body) as object),
      }[tokenIn]()
      expect(names).toEqual(tokenIn === 'bearer' ? [] : ['t'])
    }
  })

  test('in a body that is too large is told so', async () => {
    const { server, tokenInfo, app } = await startSso()
    expect((await ssoLogin(server, app, 'x'.repeat(300_000))).status).toBe(413)
    expect(tokenInfo.asked).toEqual([])
  })
})

/** Sends a text byte by byte, for ever. */
function drip(socket: Socket, text: string, head: string): void {
  socket.write(head || text.slice(0, 10))
  let at = 10
  const timer = setInterval(() => socket.write(text ? text[at++ % text.length]! : head), 20)
  socket.on('close', () => clearInterval(timer))
}
