import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { watchWallets } from '../../server/chain/watch.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { chainWorld } from '../support/chain.ts'
import { createLedger } from '../support/ledger.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithWallet } from '../support/tonLogin.ts'

type Version = 'v2' | 'v3'

/** Between two looks a followed wallet gets far more transactions than a page holds. */
async function followed(version: Version) {
  const world = await chainWorld(version)
  const { server, app, api, wallet } = world
  const ledger = createLedger(wallet.address, 50_000_000_000_000)
  await changeApp(server.runtime, cliActor, app.id, { ton: { watch: true } })
  ledger.add(30)
  api.instead = ledger.answer
  expect(await watchWallets(server.runtime)).toBe(0)
  return { ...world, ledger, before: ledger.size() }
}

async function lookUntilQuiet(server: TestServer, most = 400): Promise<void> {
  // A look on the way back tells nothing yet, and there are some in a row.
  for (let quiet = 0, looks = 0; quiet < 12; looks++) {
    expect(looks).toBeLessThan(most)
    server.clock.pass(61)
    quiet = (await watchWallets(server.runtime)) === 0 ? quiet + 1 : 0
  }
}

/** What the person was told, in the order it was told. */
async function told({ app, wallet }: Awaited<ReturnType<typeof followed>>, server: TestServer): Promise<number[]> {
  const token = (await signInWithWallet(server, app, wallet)).body['accessToken'] as string
  const amounts: number[] = []
  for (let cursor = ''; ;) {
    const { body } = await call(server, 'GET', `/v1/me/notifications?limit=200${cursor}`, { token })
    for (const { data } of body['items'] as { data: { content: { amount: string } } }[])
      amounts.push(Math.round(Number(data.content.amount) * 1e9))
    if (body['nextCursor'] === null) return amounts.reverse()
    cursor = `&cursor=${body['nextCursor']}`
  }
}

/** What is missing of the numbers behind `before`, what came twice, and whether they came in order. */
function judge(amounts: number[], before: number, last: number) {
  const got = new Set(amounts)
  const missing = Array.from({ length: last - before }, (_, n) => before + n + 1).filter((n) => !got.has(n))
  const strange = amounts.filter((n) => n <= before || n > last)
  const sorted = amounts.every((n, at) => at === 0 || amounts[at - 1]! < n)
  return { missing: missing.length, repeated: amounts.length - got.size, strange: strange.length, sorted }
}
const whole = { missing: 0, repeated: 0, strange: 0, sorted: true }

const tooMany = (response: ServerResponse, retryAfter?: string) =>
  void response
    .writeHead(429, { 'content-type': 'application/json', ...(retryAfter && { 'retry-after': retryAfter }) })
    .end('{"ok":false,"result":"Ratelimit exceed","code":429}')

// Thousands of events, each encrypted and recorded: long on a machine that does other things as well.
describe.each(['v3', 'v2'] as const)('over %s', { timeout: 400_000 }, (version) => {
  test('more transactions between two looks than a walk keeps in memory are told once each, oldest first', async () => {
    const world = await followed(version)
    const { server, ledger, before } = world
    ledger.add(1_200, { jettonEvery: 3 })
    await lookUntilQuiet(server)
    expect(judge(await told(world, server), before, ledger.size())).toEqual(whole)
  })

  test('also while more arrive all the time', async () => {
    const world = await followed(version)
    const { server, api, ledger, before } = world
    ledger.add(1_000, { jettonEvery: 4 })
    let more = 200
    api.instead = (response, path) => {
      // Far apart: what is passed over once is not found by looking a little further back the next time.
      if (more-- > 0) ledger.add(3, { jettonEvery: 4, apart: 1_000_000 })
      ledger.answer(response, path)
    }
    await lookUntilQuiet(server)
    expect(ledger.size()).toBe(before + 1_600)
    // The API is asked for coins and for jettons one after the other, so that one may be ahead of the other.
    const { sorted: _, ...rest } = judge(await told(world, server), before, ledger.size())
    expect(rest).toEqual({ missing: 0, repeated: 0, strange: 0 })
  })

  test('also where the API rate limits and breaks off in the middle, again and again', async () => {
    const world = await followed(version)
    const { server, api, ledger, before } = world
    ledger.add(600, { jettonEvery: 5 })
    let calls = 0
    // Never as many answers in a row as the whole takes.
    api.instead = (response, path) => {
      calls++
      if (calls % 13 === 0) tooMany(response, calls % 2 === 0 ? '7' : undefined)
      else if (calls % 17 === 0) response.writeHead(502).end('<html>502</html>')
      else if (calls % 29 === 0) response.writeHead(200).end('{"transactions": [{"hash": "a')
      else if (calls % 31 === 0) response.socket!.destroy()
      else ledger.answer(response, path)
    }
    await lookUntilQuiet(server)
    expect(judge(await told(world, server), before, ledger.size())).toEqual(whole)
  })

  test('also through restarts in the middle of it', async () => {
    const world = await followed(version)
    const { api, ledger, before } = world
    ledger.add(500, { jettonEvery: 4 })
    let server: TestServer = world.server
    for (const calls of [12, 24, 34, 44]) {
      let left = calls
      api.instead = (response, path) => {
        if (left-- > 0) ledger.answer(response, path)
        else response.socket!.destroy()
      }
      server.clock.pass(61)
      await watchWallets(server.runtime)
      server.clock.pass(61)
      await watchWallets(server.runtime)
      await server.stop()
      server = await startServer({
        databaseUrl: server.runtime.config.databaseUrl,
        now: server.clock.now,
        env: { TON_API_URL: api.url },
      })
      ledger.add(50)
    }
    api.instead = ledger.answer
    await lookUntilQuiet(server)
    expect(judge(await told(world, server), before, ledger.size())).toEqual(whole)
  })

  test('also where two processes look at once', async () => {
    const world = await followed(version)
    const { server, api, ledger, before } = world
    const other = await startServer({
      databaseUrl: server.runtime.config.databaseUrl,
      now: server.clock.now,
      env: { TON_API_URL: api.url },
    })
    // Far apart, so that what was told early is long forgotten when the slower one comes to it.
    ledger.add(500, { jettonEvery: 4, apart: 1_000_000 })
    let calls = 0
    api.instead = (response, path) => (++calls % 23 === 0 ? tooMany(response) : ledger.answer(response, path))
    for (let look = 0; look < 12; look++) {
      server.clock.pass(61)
      other.clock.now = server.clock.now
      await Promise.all([watchWallets(server.runtime), watchWallets(other.runtime)])
    }
    api.instead = ledger.answer
    await lookUntilQuiet(server)
    const { sorted: _, ...rest } = judge(await told(world, server), before, ledger.size())
    expect(rest).toEqual({ missing: 0, repeated: 0, strange: 0 })
  })
})

test('a wallet with a long backlog keeps nobody else waiting', async () => {
  const world = await followed('v3')
  const { server, app, api, ledger } = world
  const { newWallet } = await import('../support/wallet.ts')
  const wallet = newWallet('V4R2')
  const token = (await signInWithWallet(server, app, wallet)).body['accessToken'] as string
  const small = createLedger(wallet.address, 50_000_000_000_000)
  small.add(1)
  const both = (response: ServerResponse, path: string) =>
    (path.toUpperCase().includes(wallet.address.slice(2).toUpperCase()) ? small : ledger).answer(response, path)
  api.instead = both
  await watchWallets(server.runtime)
  ledger.add(20_000)
  small.add(1)
  server.clock.pass(20)
  const looked = await watchWallets(server.runtime)
  expect(looked).toBeLessThan(10_000)
  const { body } = await call(server, 'GET', '/v1/me/notifications', { token })
  expect(body['items']).toHaveLength(1)
})
