import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { scaled } from '../../server/chain/tell.ts'
import { watchWallets } from '../../server/chain/watch.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newEndpoint } from '../support/events.ts'
import { startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'
import { chainWorld, type ChainWorld } from '../support/chain.ts'

const giver = `0:${'12'.repeat(32)}`
const ton = 10n ** 9n
const usdt = {
  master: '0:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe',
  symbol: 'USD₮',
  name: 'Tether USD',
  decimals: 6,
}
const spam = { master: `0:${'ab'.repeat(32)}`, symbol: 'visit scam.example', name: 'x', decimals: 0 }

/** An app that follows its wallets, and its own server that is told. */
async function following(version: 'v2' | 'v3' = 'v3') {
  const world = await chainWorld(version, 'V4R2', { GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' })
  await changeApp(world.server.runtime, cliActor, world.app.id, { ton: { watch: true } })
  const receiver = await startReceiver()
  await newEndpoint(world.server, world.app, receiver.url, { types: ['txn.*'] })
  const look = async (server = world.server) => {
    world.server.clock.pass(20)
    const told = await watchWallets(server.runtime)
    await server.runtime.outbox.pass()
    return told
  }
  const told = () =>
    receiver.received.map(({ json }) => [json.data.op, json.data.content.amount, json.data.content.symbol])
  return { ...world, look, told, receiver }
}

test('off by default: nobody is followed, and the chain is not asked', async () => {
  const world: ChainWorld = await chainWorld()
  await world.chain.fund(world.wallet.address, ton)
  expect(await watchWallets(world.server.runtime)).toBe(0)
  expect(world.api.asked).toEqual([])
})

describe.each(['v2', 'v3'] as const)('over %s', (version) => {
  test('what comes and goes is told once, from when the wallet is followed', async () => {
    const { chain, wallet, look, told, receiver, server } = await following(version)
    await chain.fund(wallet.address, 50n * ton)
    expect(await look()).toBe(0)
    await chain.fund(wallet.address, 459_769_830n, 'rent')
    await chain.send(wallet, giver, 2n * ton)
    expect(await look()).toBe(2)
    expect(told().sort()).toEqual([
      ['txn.received', '0.45976983', 'TON'],
      ['txn.sent', '2', 'TON'],
    ])
    expect(await look()).toBe(0)
    expect(receiver.received.find(({ json }) => json.data.op === 'txn.received')!.json.data).toMatchObject({
      time: String(server.clock.now.getTime() / 1000 - 40),
      content: {
        bip44: '607',
        chainId: '-239',
        txnHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        walletAddress: expect.stringMatching(/^UQ/),
        from: expect.stringMatching(/^UQ/),
      },
    })
  })
})

test('a restart in between neither repeats nor loses anything', async () => {
  const { chain, wallet, look, told, server, api } = await following()
  await look()
  await chain.fund(wallet.address, 1n * ton)
  await look()
  await chain.fund(wallet.address, 2n * ton)
  await server.stop()
  const again = await startServer({
    databaseUrl: server.runtime.config.databaseUrl,
    now: server.clock.now,
    env: { TON_API_URL: api.url, GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' },
  })
  again.clock.pass(40)
  expect(await watchWallets(again.runtime)).toBe(1)
  await again.runtime.outbox.pass()
  expect(
    told()
      .map(([, amount]) => amount)
      .sort(),
  ).toEqual(['1', '2'])
})

test('a transaction that a fork takes away and brings back is told once, and what comes in its place too', async () => {
  const { api, wallet, look, told } = await following()
  await look()
  const hash = (n: number) => n.toString(16).padStart(64, '0')
  const received = (n: number, lt: number) => ({
    hash: hash(n),
    lt: String(lt),
    now: 1_780_000_000,
    total_fees: '1',
    in_msg: { source: `0:${'12'.repeat(32)}`, destination: wallet.address, value: String(BigInt(n) * ton) },
  })
  const chainIs = async (...transactions: object[]) => {
    api.instead = (response) =>
      void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ transactions: transactions.toReversed(), jetton_transfers: [] }))
    await look()
  }
  const [first, second, third] = [received(1, 900), received(2, 901), received(3, 901)]
  await chainIs(first, second)
  await chainIs(first)
  await chainIs(first, second)
  // Another in the same place of the same chain.
  await chainIs(first, third)
  await chainIs(first, second, third)
  expect(
    told()
      .map(([, amount]) => amount)
      .sort(),
  ).toEqual(['1', '2', '3'])
})

test('two processes that look at once tell once', async () => {
  const { chain, wallet, look, told, server, api } = await following()
  await look()
  const other = await startServer({
    databaseUrl: server.runtime.config.databaseUrl,
    now: server.clock.now,
    env: { TON_API_URL: api.url, GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' },
  })
  for (let n = 1; n <= 5; n++) await chain.fund(wallet.address, BigInt(n) * ton)
  server.clock.pass(20)
  other.clock.now = server.clock.now
  const counts = await Promise.all([watchWallets(server.runtime), watchWallets(other.runtime)])
  expect(counts[0]! + counts[1]!).toBe(5)
  await server.runtime.outbox.pass()
  expect(
    told()
      .map(([, amount]) => amount)
      .sort(),
  ).toEqual(['1', '2', '3', '4', '5'])
})

test('more than a page at once is told whole', async () => {
  const { chain, wallet, look, told } = await following()
  await look()
  for (let n = 1; n <= 60; n++) await chain.fund(wallet.address, BigInt(n) * ton)
  expect(await look()).toBe(60)
  expect(told()).toHaveLength(60)
  // They are recorded in order and sent side by side.
  const amounts = told().map(([, amount]) => Number(amount))
  expect(amounts.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
})

test('known jettons are told, and advertisements are not', async () => {
  const { chain, wallet, look, told } = await following()
  await look()
  chain.moveJetton(usdt, giver, wallet.address, 1_500_000n)
  chain.moveJetton(spam, giver, wallet.address, 1n)
  await look()
  expect(told()).toEqual([['txn.received', '1.5', 'USD₮']])
})

test('while the API is away nothing is lost', async () => {
  const { chain, wallet, look, told, api, server } = await following()
  await look()
  await chain.fund(wallet.address, ton)
  api.instead = (response) => void response.writeHead(500).end('{}')
  expect(await look()).toBe(0)
  api.instead = undefined
  server.clock.pass(60)
  expect(await look()).toBe(1)
  expect(told()).toEqual([['txn.received', '1', 'TON']])
})

test('amounts are written out exactly', () => {
  expect(
    [
      ['0', 9],
      ['1', 9],
      ['1000000000', 9],
      ['12345678901234567890123', 18],
      ['5', 0],
      ['100', 2],
    ].map(([amount, decimals]) => scaled(amount as string, decimals as number)),
  ).toEqual(['0', '0.000000001', '1', '12345.678901234567890123', '5', '1'])
})
