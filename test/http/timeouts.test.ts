import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { drain, serve } from '../../server/serve.ts'

const patience = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 }

/** Sends some bytes and reads until the server closes. */
async function talk(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

async function echo(): Promise<number> {
  const { server, port } = await serve((_request, response) => response.end(), { host: '127.0.0.1', port: 0 }, patience)
  onTestFinished(() => drain(server, 100))
  return port
}

test('headers that never end are cut, in words', async () => {
  const answer = await talk(await echo(), 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status: 408, code: 'invalid_request' })
})

test('a body that never ends is cut', async () => {
  const answer = await talk(await echo(), 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')
  expect(answer).toContain('408')
})

test('too many headers and what is no HTTP are refused as problem+json, and nothing more is said', async () => {
  const port = await echo()
  const large = await talk(port, `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`)
  expect(large).toMatch(/^HTTP\/1\.1 431 [\s\S]*application\/problem\+json/)
  const noise = await talk(port, '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n')
  expect(JSON.parse(noise.split('\r\n\r\n')[1]!)).toMatchObject({ status: 400, code: 'invalid_request' })
})

test('a call that does not say which host it asks is refused as problem+json, and one of HTTP/1.0 need not', async () => {
  const port = await echo()
  const nameless = await talk(port, 'GET / HTTP/1.1\r\n\r\n')
  expect(nameless).toMatch(/^HTTP\/1\.1 400 [\s\S]*content-type: application\/problem\+json/i)
  expect(nameless).toContain('The Host header is missing')
  expect(await talk(port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
})
