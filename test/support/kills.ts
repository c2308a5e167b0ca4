import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { call } from './server.ts'

export type Killable = { url: string; kill(): Promise<unknown> }

export type KillResult = {
  acknowledged: number
  /** Different events that arrived: some whose acknowledgement the kill swallowed are among them. */
  delivered: number
  lost: string[]
  /** Deliveries that came more than once, and of them those whose bytes differed. */
  twice: number
  differing: number
}

type Plan = {
  start: () => Promise<Killable>
  /** The app's events path and an API key; the endpoint stands already and points at `receiver`. */
  path: string
  key: string
  receiver: KillReceiver
  kills: number
  random: () => number
}

export type KillReceiver = {
  url: string
  bodies: Map<string, string>
  twice: Set<string>
  differing: Set<string>
  close(): void
}

/** A receiver that remembers what came under which id, and now and then fails so that there are retries. */
export async function startKillReceiver(): Promise<KillReceiver> {
  const [bodies, twice, differing] = [new Map<string, string>(), new Set<string>(), new Set<string>()]
  const refused = new Set<string>()
  let calls = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const id = String(request.headers['webhook-id'])
      // Each only once: after a second refusal it would come in five minutes, and nobody waits for that here.
      if (++calls % 50 === 0 && !refused.has(id)) {
        refused.add(id)
        return void response.writeHead(503, { 'retry-after': '1' }).end()
      }
      const before = bodies.get(id)
      if (before !== undefined) twice.add(id)
      if (before !== undefined && before !== body) differing.add(id)
      bodies.set(id, body)
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bodies, twice, differing, close }
}

const event = (n: number) => ({ type: 'buy.success', user: `u${n % 20}`, content: { symbol: 'BTC', amount: `0.${n}` } })

/**
 * Kills a real server again and again at random points while events are accepted and delivered, then lets one live until everything that was
 * acknowledged has arrived, or half a minute has passed without anything arriving.
 */
export async function killAgainAndAgain({ start, path, key, receiver, kills, random }: Plan): Promise<KillResult> {
  const acknowledged: string[] = []
  let counter = 0
  for (let kill = 0; kill < kills; kill++) {
    const server = await start()
    let alive = true
    const storm = async () => {
      while (alive) {
        const many = random() < 0.3
        const body = many ? Array.from({ length: 5 }, () => event(counter++)) : event(counter++)
        const answer = await call(server, 'POST', path, { body, token: key }).catch(() => undefined)
        if (!answer) return
        if (answer.status === 202) acknowledged.push(...((answer.body['ids'] ?? [answer.body['id']]) as string[]))
      }
    }
    const storms = Array.from({ length: 6 }, storm)
    const before = acknowledged.length
    // Just started, it may take a moment to answer; some kills come before it has.
    const patience = performance.now() + (random() < 0.1 ? 0 : 5_000)
    while (acknowledged.length === before && performance.now() < patience) await wait(5)
    await wait(random() * 400)
    await server.kill()
    alive = false
    await Promise.all(storms)
  }
  const last = await start()
  const result = await settle(acknowledged, receiver)
  await last.kill()
  return result
}

/**
 * Kills one of two servers that share a database, then the other, again and again, while both are called; each comes back before the next is
 * killed. In the end both live until everything has arrived.
 */
export async function killInTurn({ start, path, key, receiver, kills, random }: Plan): Promise<KillResult> {
  const acknowledged: string[] = []
  const pair = [await start(), await start()]
  let [counter, over] = [0, false]
  const storm = async (nth: number) => {
    while (!over) {
      const answer = await call(pair[nth % 2]!, 'POST', path, { body: event(counter++), token: key }).catch(
        () => undefined,
      )
      if (answer?.status === 202) acknowledged.push(answer.body['id'] as string)
      // It is dead, and the next one is not there yet.
      if (!answer) await wait(20)
    }
  }
  const storms = Array.from({ length: 6 }, (_, nth) => storm(nth))
  for (let kill = 0; kill < kills; kill++) {
    await wait(50 + random() * 400)
    await pair[kill % 2]!.kill()
    pair[kill % 2] = await start()
  }
  over = true
  await Promise.all(storms)
  const result = await settle(acknowledged, receiver)
  await Promise.all(pair.map((server) => server.kill()))
  return result
}

/** Waits until everything that was acknowledged has arrived, or half a minute has passed without anything arriving. */
async function settle(acknowledged: string[], receiver: KillReceiver): Promise<KillResult> {
  let [seen, quiet] = [-1, 0]
  const missing = () => acknowledged.filter((id) => !receiver.bodies.has(id))
  while (missing().length > 0 && quiet < 60) {
    quiet = receiver.bodies.size === seen ? quiet + 1 : 0
    seen = receiver.bodies.size
    await wait(500)
  }
  return {
    acknowledged: acknowledged.length,
    delivered: receiver.bodies.size,
    lost: missing(),
    twice: receiver.twice.size,
    differing: receiver.differing.size,
  }
}

type Command = (args: string[], input?: string) => Promise<{ code: number | null; json: () => any }>

/** An app with a key and an endpoint, made from outside: by the command line and the management API of a server that runs. */
export async function prepareKills(cli: Command, server: { url: string }, receiver: KillReceiver) {
  await cli(
    ['operator', 'create', '--email', 'a@example.com', '--role', 'owner', '--password-stdin'],
    'a long enough password',
  )
  const { token } = (
    await cli(['operator', 'token', '--email', 'a@example.com', '--name', 'kills', '--json'])
  ).json() as {
    token: string
  }
  const make = async (path: string, body: object) => {
    const answer = await call(server, 'POST', `/api/v1${path}`, { token, body })
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
    return answer.body
  }
  const app = await make('/apps', { name: 'Kills', slug: 'kills' })
  const { key } = await make(`/apps/${app['id']}/api-keys`, { name: 'server' })
  await make(`/apps/${app['id']}/webhooks`, { url: receiver.url, ratePerSecond: 5_000, concurrency: 20 })
  return { path: '/v1/apps/kills/events', key: key as string }
}
