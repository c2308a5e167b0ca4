import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { call, startServer, type TestServer } from '../support/server.ts'
import { operatorToken } from '../support/operator.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

/** The status of one request with exactly this target, which clients would tidy up. */
function statusOf(server: TestServer, method: string, target: string, headers: string[] = []): Promise<number> {
  return new Promise((resolve, reject) => {
    const lines = [`${method} ${target} HTTP/1.1`, 'host: gatehouse', 'connection: close', ...headers]
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () =>
      socket.write(`${lines.join('\r\n')}\r\n\r\n`),
    )
    let answer = ''
    socket
      .on('data', (part: Buffer) => (answer += part.toString()))
      .on('close', () => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])))
      .on('error', reject)
  })
}

test('an address that is blocked is refused under every spelling of a path', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const token = await operatorToken(server)
  const path = `/v1/apps/${app.slug}/revocations`
  const spellings = [path, `http://gatehouse${path}`, `HTTP://x:1${path}?list=0`, `${path}/`]
  for (const target of spellings) expect(await statusOf(server, 'GET', target), target).toBe(200)
  expect(await statusOf(server, 'GET', path.replace('/v1', '/V1'))).toBe(404)
  expect(await statusOf(server, 'POST', '/OAuth/introspect')).toBe(404)

  const body = { kind: 'address', value: '127.0.0.1', effect: 'block', reason: 'a test' }
  const block = await call(server, 'POST', '/api/v1/blocks', { token, body })
  expect(block.status).toBe(201)
  for (const target of spellings) expect(await statusOf(server, 'GET', target), target).toBe(403)
  for (const target of [path.replace('/v1', '/V1'), `http://gatehouse${path.replace('/v1', '/V1')}`])
    expect([403, 404], target).toContain(await statusOf(server, 'GET', target))
})

test('the scheme of a bearer token may be followed by more than one space', async () => {
  const server = await startServer()
  const { body } = await signInWithTelegram(server, await telegramApp(server))
  for (const [scheme, status] of [
    ['Bearer ', 200],
    ['bearer   ', 200],
    ['Bearer', 401],
    ['Basic ', 401],
  ] as const)
    expect(await statusOf(server, 'GET', '/v1/session', [`authorization: ${scheme}${body['accessToken']}`])).toBe(
      status,
    )
})

test("an app's pages may call it under the encoded spelling of its slug too", async () => {
  const server = await startServer()
  await telegramApp(server, { slug: 'quest', allowedOrigins: ['https://mini.example.com'] })
  const allowed = async (slug: string, origin = 'https://mini.example.com') =>
    (await fetch(`${server.url}/v1/apps/${slug}/ton/nonce`, { method: 'OPTIONS', headers: { origin } })).headers.get(
      'access-control-allow-origin',
    )
  expect(await allowed('quest')).toBe('https://mini.example.com')
  expect(await allowed('%71uest')).toBe('https://mini.example.com')
  expect(await allowed('%71uest', 'https://evil.example.com')).toBeNull()
  expect(await allowed('%E0%A4%A')).toBeNull()
})

test.each(['..%2f..%2fetc%2fpasswd', '%2e%2e/%2e%2e/package.json', '..%5c..%5cetc', '_app/..%2f..%2fserver', '..;/x'])(
  'the console answers nothing at /console/%s',
  async (path) => {
    const server = await startServer()
    expect(await statusOf(server, 'GET', `/console/${path}`)).toBe(404)
  },
)

test('a suffix that looks like a file does not open what asks for a sign-in', async () => {
  const server = await startServer()
  const refused = [
    '/api/v1/apps',
    '/api/v1/apps/x.svg',
    '/v1/session.css',
    '/v1/me/x.svg',
    '/_app/api/v1/apps',
    '/api/v1/apps;x.png',
  ]
  for (const path of refused) expect([401, 404], path).toContain(await statusOf(server, 'GET', path))
})
