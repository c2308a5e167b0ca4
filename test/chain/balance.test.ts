import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { balanceOf, chainWorld, historyOf, upstream } from '../support/chain.ts'
import { readVectors } from '../support/readVectors.ts'
import { call, startServer, type Answer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { signInWithWallet } from '../support/tonLogin.ts'
import { newWallet } from '../support/wallet.ts'

const outcome = (answer: Answer) => [answer.status, answer.body['code']]
const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const usdt = {
  master: '0:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe',
  symbol: 'USD₮',
  name: 'Tether USD',
  decimals: 6,
}
const fake = { master: `0:${'ab'.repeat(32)}`, symbol: 'USD₮\u202e\n', name: 'Tether\u0000 USD', decimals: 6 }
const giver = `0:${'12'.repeat(32)}`

describe.each(['v2', 'v3'] as const)('over %s', (version) => {
  test('a balance is what the chain holds, before and after the wallet is used', async () => {
    const world = await chainWorld(version)
    expect((await balanceOf(world)).body).toMatchObject({
      state: 'uninitialized',
      ton: { type: 'ton', symbol: 'TON', decimals: 9, amount: '0' },
    })
    await world.chain.fund(world.wallet.address, 12_345_678_901_234_567n)
    world.server.clock.pass(5)
    const rich = await balanceOf(world)
    expect(rich.body['ton'].amount).toBe('12345678901234567')
    await world.chain.send(world.wallet, giver, 1_000_000_000n)
    world.server.clock.pass(5)
    const after = (await balanceOf(world)).body
    expect(after['state']).toBe('active')
    expect(BigInt(after['ton'].amount)).toBeLessThan(12_345_677_901_234_567n)
    expect(BigInt(after['ton'].amount)).toBeGreaterThan(12_345_677_880_000_000n)
    expect(world.api.keys).toEqual(world.api.keys.map(() => 'the-ton-api-key'))
    expect(world.server.logged()).not.toContain('the-ton-api-key')
  })
})

test('v2 tells nothing of jettons, and so do we', async () => {
  expect((await balanceOf(await chainWorld('v2'))).body['jettons']).toBe(null)
})

test('jettons come with decimals and symbol, the verified first, and a copycat is not one of them', async () => {
  const world = await chainWorld()
  world.chain.moveJetton(fake, giver, world.wallet.address, 999_000_000n)
  world.chain.moveJetton(usdt, giver, world.wallet.address, 1_500_000n)
  const answer = await balanceOf(world)
  expect(answer.body).toMatchObject({
    address: world.wallet.address,
    friendly: expect.stringMatching(/^UQ/),
    network: '-239',
    asOf: '2026-06-01T12:00:00.000Z',
    ageSeconds: 0,
  })
  expect(answer.body['jettons']).toEqual([
    {
      type: 'jetton',
      master: usdt.master,
      symbol: 'USD₮',
      name: 'Tether USD',
      decimals: 6,
      image: null,
      verified: true,
      amount: '1500000',
    },
    {
      type: 'jetton',
      master: fake.master,
      symbol: 'USD₮',
      name: 'Tether USD',
      decimals: 6,
      image: null,
      verified: false,
      amount: '999000000',
    },
  ])
  // An app vouches for its own jetton.
  await changeApp(world.server.runtime, cliActor, world.app.id, { ton: { jettons: [fake.master] } })
  expect((await balanceOf(world)).body['jettons'].map((held: { verified: boolean }) => held.verified)).toEqual([
    true,
    true,
  ])
})

test('a change of another setting leaves the vouched jettons and the watcher alone', async () => {
  const server = await startServer()
  const app = await server.createApp({ ton: { jettons: [usdt.master], watch: true } })
  const changed = await changeApp(server.runtime, cliActor, app.id, { ton: { domains: ['quest.example.com'] } })
  expect(changed.settings.ton).toEqual({
    domains: ['quest.example.com'],
    chains: ['-239', '-3'],
    jettons: [usdt.master],
    watch: true,
  })
})

test('within seconds the chain is asked once, however many ask', async () => {
  const world = await chainWorld()
  let release = () => {}
  world.api.hold = new Promise((resolve) => (release = resolve))
  const asking = Array.from({ length: 20 }, () => balanceOf(world))
  await expect.poll(() => world.api.asked.length).toBe(2)
  release()
  const answers = await Promise.all(asking)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  world.server.clock.pass(4)
  expect((await balanceOf(world)).body['ageSeconds']).toBe(4)
  expect(world.api.asked).toHaveLength(2)
  world.server.clock.pass(1)
  expect((await balanceOf(world)).body['ageSeconds']).toBe(0)
  expect(world.api.asked).toHaveLength(4)
})

test.each<[string, (response: ServerResponse) => void]>([
  ['500', json({ error: 'no' }, 500)],
  ['HTML', (response) => void response.end('<html>')],
  ['a closed connection', (response) => void response.socket!.destroy()],
  [
    'half an answer',
    (response) => void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
  ],
  ['nothing of what was asked', json({})],
  ['a balance that is none', json({ accounts: [{ balance: '-5', status: 'active' }], jetton_wallets: [] })],
  ['a balance with a fraction', json({ accounts: [{ balance: 1.5, status: 'active' }], jetton_wallets: [] })],
  ['a refused key', json({ error: 'API key does not exist' }, 401)],
])('%s is the chain being away: the last known balance comes with its age', async (_, instead) => {
  const world = await chainWorld()
  await world.chain.fund(world.wallet.address, 7n * 10n ** 9n)
  expect((await balanceOf(world)).status).toBe(200)
  world.api.instead = instead
  world.server.clock.pass(90)
  const away = await balanceOf(world)
  expect(outcome(away)).toEqual([503, 'chain_unavailable'])
  expect(away.headers.get('retry-after')).toBe('2')
  expect(away.body['lastKnown']).toMatchObject({ ton: { amount: '7000000000' }, ageSeconds: 90 })
  expect(JSON.stringify(away.body)).not.toMatch(/127\.0\.0\.1|the-ton-api-key/)
  world.api.instead = undefined
  expect((await balanceOf(world)).status).toBe(200)
})

test('never asked before, there is no last known value to bring', async () => {
  const world = await chainWorld()
  world.api.instead = json({}, 500)
  const away = await balanceOf(world)
  expect(outcome(away)).toEqual([503, 'chain_unavailable'])
  expect(away.body).not.toHaveProperty('lastKnown')
})

test('when the API asks for a pause, it gets one', async () => {
  const world = await chainWorld('v2')
  const { cases } = readVectors<{ cases: { status: number; response?: unknown }[] }>('toncenter-errors.json')
  world.api.instead = (response) => {
    response.setHeader('retry-after', '30')
    json(cases[0]!.response, 429)(response)
  }
  const first = await balanceOf(world)
  expect([...outcome(first), first.headers.get('retry-after')]).toEqual([503, 'chain_unavailable', '30'])
  const asked = world.api.asked.length
  world.api.instead = undefined
  world.server.clock.pass(20)
  const second = await historyOf(world)
  expect([...outcome(second), second.headers.get('retry-after')]).toEqual([503, 'chain_unavailable', '10'])
  expect(world.api.asked).toHaveLength(asked)
  world.server.clock.pass(10)
  expect((await balanceOf(world)).status).toBe(200)
})

test('without an API, and for a wallet that is not mine, there is no answer', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const wallet = newWallet()
  const token = (await signInWithWallet(server, app, wallet)).body['accessToken']
  const stranger = (await signInWithTelegram(server, app)).body['accessToken']
  const path = `/v1/me/wallets/${wallet.friendly}/balance`
  expect(outcome(await call(server, 'GET', path, { token }))).toEqual([503, 'chain_not_configured'])
  expect(outcome(await call(server, 'GET', path, { token: stranger }))).toEqual([404, 'not_found'])
  expect(outcome(await call(server, 'GET', path))).toEqual([401, 'token_invalid'])
})

test('each network has its own API where two are given', async () => {
  const [main, test] = [
    await upstream((_, response) => json({ accounts: [{ balance: '1' }], jetton_wallets: [] })(response)),
    await upstream((_, response) => json({ accounts: [{ balance: '2' }], jetton_wallets: [] })(response)),
  ]
  const server = await startServer({ env: { TON_API_URL: main.url, TON_TESTNET_API_URL: test.url } })
  const app = await server.createApp({ slug: 'quest' })
  for (const [version, amount] of [
    ['V5R1', '1'],
    ['V5R1testnet', '2'],
  ] as const) {
    const wallet = newWallet(version)
    const token = (await signInWithWallet(server, app, wallet)).body['accessToken']
    const answer = await call(server, 'GET', `/v1/me/wallets/${wallet.address}/balance`, { token })
    expect([answer.status, answer.body['ton']?.amount]).toEqual([200, amount])
  }
})

test('recorded answers of toncenter v2 are read: text, number, and an account that was never used', async () => {
  type Case = { status: number; response: { result: { balance: unknown } } }
  const { cases } = readVectors<{ cases: Case[] }>('toncenter-v2-getAddressInformation.json')
  expect(cases.length).toBeGreaterThan(2)
  for (const { response } of cases) {
    const world = await chainWorld('v2')
    world.api.instead = json(response)
    const answer = await balanceOf(world)
    expect([answer.status, answer.body['ton'].amount]).toEqual([200, String(response.result.balance)])
  }
})

test('an amount beyond 2^53 keeps every digit, also where the API writes a number', async () => {
  const world = await chainWorld()
  world.api.instead = (response) =>
    void response.end('{"accounts":[{"balance":12345678901234567891,"status":"active"}],"jetton_wallets":[]}')
  expect((await balanceOf(world)).body['ton'].amount).toBe('12345678901234567891')
})
