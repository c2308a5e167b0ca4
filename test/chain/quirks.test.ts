import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { balanceOf, chainWorld, historyOf } from '../support/chain.ts'
import type { Answer } from '../support/server.ts'

// What toncenter and what stands before it really answer, beyond the recorded answers in the vectors: envelopes, types that change, pages for people, and
// connections that go wrong. Each has one clear answer of ours; none is a 500, a hang, or a history with a hole.

type Reply = (response: ServerResponse, path: string) => void
const reply =
  (body: unknown, status = 200, headers: Record<string, string> = { 'content-type': 'application/json' }): Reply =>
  (response) =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
const outcome = (answer: Answer) => [answer.status, answer.body['code']]
const AWAY = [503, 'chain_unavailable']

const stranger = `0:${'12'.repeat(32)}`
const hash = (n: number) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').toString('base64')

describe('an answer that is none', () => {
  const html = '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body></html>'
  const replies: Record<string, Reply> = {
    'a page for people with 200': reply(html, 200, { 'content-type': 'text/html' }),
    'a page for people as JSON': reply(html),
    'a page that asks for patience': reply('<!DOCTYPE html><title>Just a moment...</title>', 403, {
      'content-type': 'text/html; charset=UTF-8',
      server: 'cloudflare',
    }),
    'a redirect': reply('', 302, { location: 'https://elsewhere.example/api' }),
    'no content': reply('', 204),
    'JSON that breaks off': reply('{"ok":true,"result":{"balance":"10000'),
    'JSON with a tail': reply('{"ok":true,"result":{"balance":"1","state":"active"}} trailing'),
    'a number': reply('42'),
    null: reply('null'),
    'an envelope without a result': reply({ ok: true }),
    'an envelope with null': reply({ ok: true, result: null }),
    'a failure in its envelope, with 200': reply({ ok: false, error: 'LITE_SERVER_UNKNOWN', code: 500 }),
    'a bad gateway': reply({ ok: false, error: 'timeout', code: 504 }, 504),
    'a key that is none, in v3 words': reply({ code: 401, error: 'API key does not exist' }, 401),
    'a network that is not allowed': reply({ error: 'Network not allowed' }, 403),
    'parameters that it does not take': reply({ code: 422, error: 'failed to parse' }, 422),
    'another length than it said': (response) =>
      void response.writeHead(200, { 'content-length': '4096' }).write('{"ok":true', () => response.destroy()),
    'a reset': (response) => void response.socket!.resetAndDestroy(),
    'more than anybody should read': (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"ok":true,"result":{"balance":"1","padding":"${'x'.repeat(5_000_000)}"}}`)
    },
  }
  test.each(['v2', 'v3'] as const)('is the chain being away, over %s', async (version) => {
    const world = await chainWorld(version)
    const told: Record<string, unknown> = {}
    for (const [name, instead] of Object.entries(replies)) {
      world.api.instead = instead
      const [balance, history] = [await balanceOf(world), await historyOf(world)]
      told[name] = [outcome(balance), outcome(history)]
      expect(balance.headers.get('retry-after'), name).toMatch(/^\d+$/)
      expect(JSON.stringify([balance.body, history.body]), name).not.toMatch(/nginx|the-ton-api-key|<html/i)
      world.server.clock.pass(61)
    }
    expect(told).toEqual(Object.fromEntries(Object.keys(replies).map((name) => [name, [AWAY, AWAY]])))
  })

  test('that comes a byte at a time is given up on', async () => {
    const world = await chainWorld('v2')
    const timers: NodeJS.Timeout[] = []
    world.api.instead = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const text = '{"ok":true,"result":{"balance":"1","state":"active"}}'
      let at = 0
      timers.push(setInterval(() => response.write(text[at++ % text.length]!), 200))
    }
    const began = performance.now()
    expect(outcome(await balanceOf(world))).toEqual(AWAY)
    expect(performance.now() - began).toBeLessThan(9_000)
    timers.forEach(clearInterval)
  }, 30_000)
})

describe('too many calls', () => {
  const limited = { ok: false, result: 'Ratelimit exceed', code: 429 }
  test.each<[string, Reply, string]>([
    ['with Retry-After', reply(limited, 429, { 'retry-after': '12' }), '12'],
    ['without Retry-After', reply(limited, 429), '1'],
    ['in words for people', reply('<html>429 Too Many Requests</html>', 429, { 'content-type': 'text/html' }), '1'],
    ['in the envelope only, with 200', reply(limited), '1'],
    ['from a gateway, in v3 words', reply({ code: 429, error: 'Too many requests' }, 429), '1'],
  ])('%s: a pause of our own, in which nothing is asked', async (_, instead, seconds) => {
    const world = await chainWorld('v2')
    world.api.instead = instead
    const first = await balanceOf(world)
    expect([...outcome(first), first.headers.get('retry-after')]).toEqual([...AWAY, seconds])
    const asked = world.api.asked.length
    expect(outcome(await historyOf(world))).toEqual(AWAY)
    expect(world.api.asked).toHaveLength(asked)
    world.server.clock.pass(Number(seconds))
    world.api.instead = undefined
    expect((await balanceOf(world)).status).toBe(200)
  })
})

test.each<[string, 'v2' | 'v3', unknown]>([
  ['of nothing, nonexist', 'v3', { accounts: [{ balance: null, status: 'nonexist' }], jetton_wallets: [] }],
  ['of nothing, with no status', 'v3', { accounts: [{ balance: null, status: null }], jetton_wallets: [] }],
  ['left out', 'v3', { accounts: [], jetton_wallets: null }],
  ['below nothing, as tonlib has it', 'v2', { ok: true, result: { balance: -1, state: 'uninitialized' } }],
  ['below nothing, as text', 'v2', { ok: true, result: { balance: '-1', state: 'uninitialized' } }],
])('an account that was never used, with a balance %s (%s), holds nothing', async (_, version, body) => {
  const world = await chainWorld(version)
  world.api.instead = reply(body)
  const answer = await balanceOf(world)
  expect([answer.status, answer.body['state'], answer.body['ton']?.amount]).toEqual([200, 'uninitialized', '0'])
})

test('an API that is away and says until when is not asked before', async () => {
  const world = await chainWorld('v2')
  world.api.instead = reply('<h1>maintenance</h1>', 503, { 'retry-after': '240', 'content-type': 'text/html' })
  const first = await balanceOf(world)
  expect([...outcome(first), first.headers.get('retry-after')]).toEqual([...AWAY, '240'])
  const asked = world.api.asked.length
  world.server.clock.pass(239)
  world.api.instead = undefined
  expect(outcome(await balanceOf(world))).toEqual(AWAY)
  expect(world.api.asked).toHaveLength(asked)
  world.server.clock.pass(1)
  expect((await balanceOf(world)).status).toBe(200)
})

describe('types that change', () => {
  const message = (owner: string, more: object = {}) => ({
    source: stranger,
    destination: owner.toUpperCase(),
    value: '5',
    opcode: null,
    bounced: null,
    message_content: null,
    ...more,
  })
  const transaction = (owner: string, more: object = {}) => ({
    hash: hash(1),
    lt: '57000001',
    now: 1_780_000_000,
    total_fees: '1',
    description: null,
    out_msgs: null,
    in_msg: message(owner),
    ...more,
  })
  type Item = { fee: string | null; lt: string; at: string; transfers: { amount: string; kind: string }[] }
  /** The history where the API tells one transaction. */
  async function told(one: (owner: string) => object): Promise<Item | unknown[]> {
    const world = await chainWorld()
    world.api.instead = reply({ transactions: [one(world.wallet.address)], jetton_transfers: [] })
    const answer = await historyOf(world)
    return answer.status === 200 ? (answer.body['items'] as Item[])[0]! : outcome(answer)
  }

  test.each<[string, (owner: string) => object, object]>([
    ['all as text', (me) => transaction(me, { now: '1780000000', lt: '57000001' }), { lt: '57000001' }],
    [
      'all as numbers',
      (me) => transaction(me, { lt: 57000001, total_fees: 7, in_msg: message(me, { value: 5 }) }),
      { lt: '57000001', fee: '7' },
    ],
    ['no fee', (me) => transaction(me, { total_fees: null }), { fee: null }],
    ['a hash in hexadecimal', (me) => transaction(me, { hash: '0'.repeat(63) + '1' }), { fee: '1' }],
    [
      'an opcode as a number',
      (me) => transaction(me, { in_msg: message(me, { opcode: 260734629 }) }),
      { transfers: [{ kind: 'jetton_message' }] },
    ],
    [
      'an opcode as a number with a sign',
      (me) => transaction(me, { in_msg: message(me, { opcode: -1 }) }),
      { transfers: [{ kind: 'returned' }] },
    ],
    [
      'an opcode that is none',
      (me) => transaction(me, { in_msg: message(me, { opcode: 'garbage' }) }),
      { transfers: [{ kind: 'transfer' }] },
    ],
  ])('%s', async (_, one, expected) => {
    expect(await told(one)).toMatchObject({ at: '2026-05-28T20:26:40.000Z', ...expected })
  })

  test.each<[string, (owner: string) => object]>([
    ['an amount that is null between two accounts', (me) => transaction(me, { in_msg: message(me, { value: null }) })],
    ['an amount with a point', (me) => transaction(me, { in_msg: message(me, { value: '1.5' }) })],
    ['an amount below nothing', (me) => transaction(me, { in_msg: message(me, { value: '-5' }) })],
    ['a moment that is null', (me) => transaction(me, { now: null })],
    ['a moment in words', (me) => transaction(me, { now: 'yesterday' })],
  ])('%s is no history: a transfer is never passed over', async (_, one) => {
    expect(await told(one)).toEqual(AWAY)
  })

  test('what a contract tells the world outside is no transfer, and no reason to refuse the rest', async () => {
    const outwards = (me: string) => message(me, { source: me, destination: null, value: null })
    expect(await told((me) => transaction(me, { out_msgs: [outwards(me)] }))).toMatchObject({
      transfers: [{ amount: '5' }],
    })
  })
})

describe('jettons', () => {
  const master = `0:${'AB'.repeat(32)}`
  async function held(balance: unknown, metadata: unknown) {
    const world = await chainWorld()
    world.api.instead = reply({
      accounts: [{ balance: '1', status: 'active' }],
      jetton_wallets: [{ owner: world.wallet.address.toUpperCase(), jetton: master, balance }],
      metadata,
    })
    const answer = await balanceOf(world)
    return answer.status === 200 ? answer.body['jettons'][0] : outcome(answer)
  }
  const info = (more: object) => ({ [master]: { is_indexed: true, token_info: [{ type: 'jetton_masters', ...more }] } })

  test('not indexed yet: named by what they are, with nine decimals, unverified', async () => {
    expect(await held('5', { [master]: { is_indexed: false } })).toMatchObject({
      symbol: 'jetton',
      name: '',
      decimals: 9,
      verified: false,
    })
  })

  test.each([
    ['U\u0405DT', 'U\u0405DT'],
    ['USD\u20AE\u200D\u200B', 'USD\u20AE'],
    ['\u202EDNOB', 'DNOB'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['T\u0336\u0336\u0336ON', 'T\u0336\u0336\u0336ON'],
    ['\uD800', '\uFFFD'],
    ['   ', 'jetton'],
    [7, 'jetton'],
    [null, 'jetton'],
    [{ toString: 'x' }, 'jetton'],
  ])('the symbol %j is shown as %j, and never verified by it', async (symbol, shown) => {
    expect(await held('5', info({ symbol, name: symbol, extra: { decimals: '6' } }))).toMatchObject({
      symbol: shown,
      decimals: 6,
      verified: false,
    })
  })

  test('a flood of worthless ones hides none of worth, also where the API tells a thousand at a time', async () => {
    const world = await chainWorld()
    const usdt = '0:B113A994B5024A16719F69139328EB759596C38A25F59028B146FECDC3621DFE'
    const jettons = Array.from({ length: 2_300 }, (_, n) => `0:${n.toString(16).toUpperCase().padStart(64, '0')}`)
    const all = [...jettons, usdt].map((jetton) => ({
      owner: world.wallet.address.toUpperCase(),
      jetton,
      balance: '7',
    }))
    world.api.instead = (response, path) => {
      const { searchParams } = new URL(path, 'http://x')
      const [offset, limit] = [Number(searchParams.get('offset') ?? 0), Number(searchParams.get('limit') ?? 10)]
      const page = all.slice(offset, offset + Math.min(limit, 1000))
      reply({ accounts: [{ balance: '1', status: 'active' }], jetton_wallets: page })(response, path)
    }
    const { status, body } = await balanceOf(world)
    expect([status, body['jettons'][0]]).toMatchObject([
      200,
      { master: usdt.toLowerCase(), verified: true, amount: '7' },
    ])
    expect(body['jettons']).toHaveLength(1_000)
    expect(body['jettonsLeftOut']).toBe(1_301)
  })

  test('more than all money there is keeps every digit', async () => {
    const most = String(2n ** 256n - 1n)
    expect(await held(most, {})).toMatchObject({ amount: most })
    expect(await held('1'.repeat(100), {})).toEqual(AWAY)
  })
})
