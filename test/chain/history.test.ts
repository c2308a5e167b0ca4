import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { chainWorld, historyOf, type ChainWorld } from '../support/chain.ts'
import { readVectors } from '../support/readVectors.ts'
import type { Answer } from '../support/server.ts'

type Item = {
  hash: string
  lt: string
  success: boolean
  fee: string | null
  transfers: { direction: string; kind: string; amount: string; comment: string | null; asset: { symbol: string } }[]
}
const items = (answer: Answer) => answer.body['items'] as Item[]
const giver = `0:${'12'.repeat(32)}`
const ton = 10n ** 9n
const coin = { master: `0:${'cd'.repeat(32)}`, symbol: 'COIN', name: 'Coin', decimals: 2 }
const json = (body: unknown) => (response: ServerResponse) => void response.end(JSON.stringify(body))

/** All pages, with what `between` does after each. */
async function walk(world: ChainWorld, limit: number, between: () => Promise<void> = async () => {}): Promise<Item[]> {
  const all: Item[] = []
  for (let cursor = ''; ;) {
    const page = await historyOf(world, `?limit=${limit}${cursor && `&cursor=${cursor}`}`)
    expect(page.status).toBe(200)
    all.push(...items(page))
    const next = page.body['nextCursor'] as string | null
    if (next === null) return all
    expect(items(page)).toHaveLength(limit)
    cursor = next
    await between()
  }
}

describe.each(['v2', 'v3'] as const)('over %s', (version) => {
  test('what was sent and received is told with amounts, addresses and comments', async () => {
    const world = await chainWorld(version, 'V5R1')
    const { chain, wallet } = world
    await chain.fund(wallet.address, 5n * ton, 'На покупку 🎁')
    world.server.clock.pass(10)
    await chain.send(wallet, giver, ton, 'thanks')
    const answer = await historyOf(world)
    const [sent, received] = items(answer)
    expect(items(answer)).toHaveLength(2)
    expect(sent).toMatchObject({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      at: '2026-06-01T12:00:10.000Z',
      success: true,
      final: true,
      fee: expect.stringMatching(/^\d+$/),
      transfers: [
        {
          direction: 'out',
          kind: 'transfer',
          asset: { type: 'ton', symbol: 'TON', decimals: 9 },
          amount: '1000000000',
          from: wallet.address,
          to: giver,
          toFriendly: expect.stringMatching(/^UQ/),
          comment: 'thanks',
        },
      ],
    })
    expect(received!.transfers).toMatchObject([{ direction: 'in', amount: '5000000000', comment: 'На покупку 🎁' }])
    expect(answer.body['nextCursor']).toBe(null)
  })

  test('pages neither skip nor repeat while new transactions arrive', async () => {
    const world = await chainWorld(version)
    for (let n = 1; n <= 23; n++) await world.chain.fund(world.wallet.address, BigInt(n) * ton)
    const before = await walk(world, 50)
    expect(before).toHaveLength(23)
    const paged = await walk(world, 4, () => world.chain.fund(world.wallet.address, ton))
    expect(paged.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash))
    expect(before.map(({ transfers }) => transfers[0]!.amount)).toEqual(
      Array.from({ length: 23 }, (_, n) => String(BigInt(23 - n) * ton)),
    )
  })
})

test('jettons stand in their place among the transactions, across pages', async () => {
  const world = await chainWorld()
  const { chain, wallet } = world
  for (let n = 1; n <= 6; n++) {
    await chain.fund(wallet.address, ton)
    chain.moveJetton(coin, giver, wallet.address, 100n * BigInt(n), `no. ${n}`)
    chain.moveJetton(coin, wallet.address, giver, BigInt(n))
  }
  const whole = await walk(world, 50)
  expect(whole).toHaveLength(18)
  expect(whole.map(({ lt }) => BigInt(lt))).toEqual(whole.map(({ lt }) => BigInt(lt)).sort((a, b) => (a < b ? 1 : -1)))
  for (const limit of [1, 4, 5, 7])
    expect((await walk(world, limit)).map(({ hash }) => hash)).toEqual(whole.map(({ hash }) => hash))
  const jettons = whole.filter(({ transfers }) => transfers[0]!.asset.symbol === 'COIN')
  expect(jettons).toHaveLength(12)
  expect(jettons[0]).toMatchObject({
    fee: null,
    transfers: [{ direction: 'out', amount: '6', asset: { decimals: 2, verified: false }, comment: null }],
  })
  expect(jettons[1]!.transfers).toMatchObject([{ direction: 'in', amount: '600', comment: 'no. 6' }])
})

test('many that share one logical time are paged by their hashes', async () => {
  const world = await chainWorld()
  const transfer = (n: number) => ({
    source: giver,
    destination: world.wallet.address.toUpperCase(),
    amount: String(n),
    jetton_master: coin.master,
    transaction_hash: Buffer.alloc(32, n).toString('base64'),
    transaction_lt: '77000001',
    transaction_now: 1_780_000_000,
    transaction_aborted: false,
  })
  const list = Array.from({ length: 30 }, (_, n) => transfer(n + 1))
  world.api.instead = (response, path) => {
    const limit = Number(new URL(path, 'http://x').searchParams.get('limit') ?? 10)
    json({ transactions: [], jetton_transfers: list.slice(0, limit) })(response)
  }
  const all = await walk(world, 3)
  expect(new Set(all.map(({ hash }) => hash)).size).toBe(all.length)
  expect(all).toHaveLength(30)
})

test('more at one logical time than the API tells at once end no history', async () => {
  const world = await chainWorld()
  const transfer = (n: number, lt: string) => ({
    source: giver,
    destination: world.wallet.address.toUpperCase(),
    amount: String(n),
    jetton_master: coin.master,
    transaction_hash: Buffer.from(n.toString(16).padStart(64, '0'), 'hex').toString('base64'),
    transaction_lt: lt,
    transaction_now: 1_780_000_000,
    transaction_aborted: false,
  })
  // In no order within the one time, as a hash has none.
  const crowd = Array.from({ length: 2_500 }, (_, n) => transfer(((n * 1_237) % 2_500) + 100, '77000001'))
  const list = [transfer(1, '77000009'), ...crowd, transfer(2, '77000000'), transfer(3, '76000000')]
  world.api.instead = (response, path) => {
    const { searchParams } = new URL(path, 'http://x')
    const number = (name: string, otherwise: number) => Number(searchParams.get(name) ?? otherwise)
    const within = list.filter((one) => Number(one.transaction_lt) <= number('end_lt', Infinity))
    const from = number('offset', 0)
    const jetton_transfers = within.slice(from, from + Math.min(number('limit', 10), 1_000))
    json({ transactions: [], jetton_transfers })(response)
  }
  const all = await walk(world, 50)
  expect(all).toHaveLength(list.length)
  expect(new Set(all.map(({ hash }) => hash)).size).toBe(list.length)
  expect([all[0], ...all.slice(-2)].map((one) => one!.lt)).toEqual(['77000009', '77000000', '76000000'])
})

test('real recorded transactions of toncenter v3 are read', async () => {
  const { response } = readVectors<{ response: { transactions: { account: string }[] } }>(
    'toncenter-v3-transactions-derived.json',
  )
  const { readHistory } = await import('../../server/chain/history.ts')
  const world = await chainWorld()
  world.api.instead = json({ ...response, jetton_transfers: [] })
  const address = response.transactions[0]!.account.toLowerCase()
  const { value } = await readHistory(world.server.runtime, { network: '-239', address }, { limit: 20, vouched: [] })
  const told = value.items.map(({ success, fee, transfers }) => [
    success,
    fee,
    transfers.map(({ direction, kind, amount, comment }) => [direction, kind, amount, comment]),
  ])
  expect(told).toEqual([
    [true, '396400', [['in', 'jetton_message', '14986397', null]]],
    [true, '2517337', [['out', 'jetton_message', '18000000', null]]],
    [true, '2062939', [['out', 'transfer', '1000000000', null]]],
    [true, '7', [['in', 'jetton_message', '1', null]]],
    [true, '396408', [['in', 'transfer', '250000000', 'На покупку Dust']]],
  ])
})

test('real recorded transactions of toncenter v2 are read', async () => {
  const { response } = readVectors<{ response: { result: { address: { account_address: string } }[] } }>(
    'toncenter-v2-getTransactions.json',
  )
  const { readHistory } = await import('../../server/chain/history.ts')
  const { parseAddress } = await import('../../server/ton/address.ts')
  const world = await chainWorld('v2')
  world.api.instead = json(response)
  const address = parseAddress(response.result[0]!.address.account_address)
  const { value } = await readHistory(world.server.runtime, { network: '-239', address }, { limit: 20, vouched: [] })
  expect(value.items[0]).toMatchObject({
    lt: '52863169000074',
    hash: Buffer.from('mkma+u5TOi12BSu6m6YhZaatY2b2ozdabOdBnVuWmWM=', 'base64').toString('hex'),
    fee: '1207600',
    transfers: [
      { direction: 'in', kind: 'transfer', amount: '3300000000' },
      { direction: 'out', amount: '3298792400' },
    ],
  })
})

test('what is pending stands apart from what is final, on the first page only', async () => {
  const world = await chainWorld()
  await world.chain.fund(world.wallet.address, ton)
  await world.chain.fund(world.wallet.address, ton)
  const { body } = await historyOf(world)
  expect(body['pending']).toEqual([])
  const raw = await fetch(`${world.api.url}/transactions?account=${world.wallet.address}&limit=1`)
  const { transactions } = (await raw.json()) as { transactions: unknown[] }
  world.server.clock.pass(5)
  world.api.instead = (response, path) =>
    json(path.includes('pending') ? { transactions } : { transactions: [], jetton_transfers: [] })(response)
  const waiting = await historyOf(world)
  expect(items(waiting)).toEqual([])
  expect(waiting.body['pending']).toMatchObject([
    { final: false, transfers: [{ direction: 'in', amount: '1000000000' }] },
  ])
  world.server.clock.pass(5)
  world.api.instead = (response, path) =>
    path.includes('pending')
      ? void response.writeHead(404).end('{}')
      : json({ transactions: [], jetton_transfers: [] })(response)
  expect((await historyOf(world)).body['pending']).toBe(null)
  world.api.instead = undefined
  const second = await historyOf(world, '?limit=1')
  const next = await historyOf(world, `?limit=1&cursor=${second.body['nextCursor']}`)
  expect([items(next).length, next.body['pending']]).toEqual([1, null])
})

test.each(['x', '1', '-1.00', `1.${'g'.repeat(64)}`, `99999999999999999999999.${'a'.repeat(64)}`, "1' or 1=1"])(
  'a cursor that is none is refused: %s',
  async (cursor) => {
    const world = await chainWorld()
    const refused = await historyOf(world, `?cursor=${encodeURIComponent(cursor)}`)
    expect([refused.status, refused.body['code'], refused.body['errors']]).toEqual([
      400,
      'invalid_request',
      [{ path: 'cursor', message: expect.any(String) }],
    ])
  },
)

test('limits are checked, and a transaction that cannot be read is not passed over', async () => {
  const world = await chainWorld()
  for (const query of ['?limit=0', '?limit=51', '?limit=x', '?from=1'])
    expect((await historyOf(world, query)).status).toBe(400)
  world.api.instead = json({ transactions: [{ hash: 'short', lt: '1', now: 1 }], jetton_transfers: [] })
  expect((await historyOf(world)).status).toBe(503)
})
