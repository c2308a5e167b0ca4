import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { explainSignature } from '#server/webhook/explainSignature.ts'

/** What an app's server answers to its `call`th webhook (from 1). */
const manners = {
  /** Takes nearly everything. */
  steady: (call: number) => (call % 60 === 0 ? 503 : 204),
  /** Is often overloaded, the first time included. */
  busy: (call: number) => [204, 500, 429, 204][call % 4]!,
  /** Was given up by its owner. */
  gone: () => 410,
}
export type Manner = keyof typeof manners

/** The apps' own servers as far as they take webhooks, each endpoint under a path of its own. */
export type Receiver = {
  urlOf(app: string, manner: Manner): string
  /** From now on what comes to this URL must be signed with this secret. */
  trust(url: string, secret: string): void
  tally: { taken: number; failed: number; unsigned: string[] }
  close(): Promise<void>
}

/** What a long-running demo remembers of what went wrong. */
const MOST_REMEMBERED = 100

/** Starts on any free port of this machine. It keeps no process alive. @param now the clock that signatures are judged by */
export async function startReceiver(now: () => Date): Promise<Receiver> {
  const tally: Receiver['tally'] = { taken: 0, failed: 0, unsigned: [] }
  const secrets = new Map<string, string>()
  const calls = new Map<string, number>()
  const answer = (response: ServerResponse, status: number) => {
    if (status === 204) tally.taken++
    else tally.failed++
    response.writeHead(status, status === 429 ? { 'retry-after': '20' } : {}).end()
  }
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const take = async () => {
      const received = { headers: request.headers as Record<string, string>, body: await text(request) }
      const call = (calls.get(path) ?? 0) + 1
      calls.set(path, call)
      await sleep(5 + ((call * 7) % 40), undefined, { ref: false })
      const secret = secrets.get(path)
      const found = secret === undefined ? undefined : explainSignature(received, secret, { now: now() })
      if (found?.valid) return answer(response, manners[path.split('/')[2] as Manner](call))
      if (tally.unsigned.length < MOST_REMEMBERED) tally.unsigned.push(`${path}: ${found?.reason ?? 'no secret'}`)
      response.writeHead(401).end()
    }
    take().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    tally,
    urlOf: (app, manner) => `${origin}/${app}/${manner}`,
    trust: (url, secret) => void secrets.set(new URL(url).pathname, secret),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
