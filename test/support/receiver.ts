import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type Received = { headers: IncomingHttpHeaders; body: string; json: any; at: number }

export type Receiver = {
  url: string
  received: Received[]
  /** What it answers from now on: a status, or whatever a function does with the response. */
  answer(how: number | ((response: ServerResponse, received: Received) => void)): void
  close(): Promise<void>
}

/** An app's own server that takes webhooks: a real one, which remembers what it got. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  let how: number | ((response: ServerResponse, received: Received) => void) = 204
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8')
      const one = { headers: request.headers, body, json: JSON.parse(body) as unknown, at: performance.now() }
      received.push(one)
      if (typeof how === 'number') response.writeHead(how).end()
      else how(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
  onTestFinished(close)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer: (next) => void (how = next),
    close,
  }
}
