import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { balanceOf, chainWorld, historyOf } from '../support/chain.ts'
import type { Answer } from '../support/server.ts'

// What an API between us and the chain may answer besides what it should. None of it is an error of ours, and none of it is shown as if it were true.

const text =
  (body: string, status = 200, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
const outcome = (answer: Answer) => [answer.status, answer.body['code']]
const master = `0:${'AB'.repeat(32)}`
const account = '{"balance":"1","status":"active"}'
const held = (jettons: string, metadata = '{}') =>
  `{"accounts":[${account}],"jetton_wallets":${jettons},"metadata":${metadata}}`
const one = (balance: string) => `[{"jetton":"${master}","balance":${balance}}]`
const told = (info: string) => held(one('"5"'), `{"${master}":{"token_info":${info}}}`)

test.each([
  ['amounts as numbers beyond 2^53', held(one('123456789012345678901234567890')), '123456789012345678901234567890'],
  ['no metadata at all', `{"accounts":[${account}],"jetton_wallets":${one('"5"')}}`, '5'],
  ['metadata null', held(one('"5"'), 'null'), '5'],
  ['metadata of another kind', held(one('"5"'), '[1,"x"]'), '5'],
  ['token_info that is no list', told('{"symbol":"X"}'), '5'],
  ['token_info with holes', told('[null,7,"x",{"type":"jetton_masters","symbol":"OK"}]'), '5'],
  ['extra that is no object', told('[{"symbol":"OK","extra":"decimals"}]'), '5'],
  ['extra null', told('[{"symbol":"OK","extra":null}]'), '5'],
])('%s: the jetton is told as far as it can be', async (_, body, amount) => {
  const world = await chainWorld()
  world.api.instead = text(body)
  const answer = await balanceOf(world)
  expect(outcome(answer)).toEqual([200, undefined])
  expect(answer.body['jettons']).toMatchObject([{ master: master.toLowerCase(), amount, verified: false, decimals: 9 }])
})

test.each(['""', '" "', 'true', '[]', '"1e1"', '"-1"', '6.5', '"256"', '"0x6"', '{}', '1e400', 'null'])(
  'decimals that lie (%s) are nine, as where nobody says',
  async (decimals) => {
    const world = await chainWorld()
    world.api.instead = text(told(`[{"symbol":"LIE","extra":{"decimals":${decimals}}}]`))
    expect((await balanceOf(world)).body['jettons']).toMatchObject([{ symbol: 'LIE', decimals: 9 }])
  },
)

test('names that turn, hide or flood what is around them are one plain line', async () => {
  const world = await chainWorld()
  const symbol = '\u202eTDSU\u2066\u0000\n\u200b' + '😀'.repeat(40)
  const name = `Tether\r\n<b>USD</b> \u061c\u200f${'x'.repeat(500)}`
  const info = [{ type: 'jetton_masters', symbol, name, image: 'javascript:alert(1)', extra: { decimals: '6' } }]
  world.api.instead = text(told(JSON.stringify(info)))
  const [jetton] = (await balanceOf(world)).body['jettons']
  expect(jetton.symbol).toMatch(/^TDSU(😀)+$/u)
  expect([...jetton.symbol].length).toBeLessThanOrEqual(32)
  expect(jetton.name).toMatch(/^Tether<b>USD<\/b> x+$/)
  expect([jetton.name.length, jetton.image, jetton.verified]).toEqual([100, null, false])
})

test.each([
  ['a list with a hole', '{"accounts":[null],"jetton_wallets":[]}'],
  ['jettons with a hole', `{"accounts":[${account}],"jetton_wallets":[null]}`],
  ['a balance in floating point', '{"accounts":[{"balance":1e21,"status":"active"}],"jetton_wallets":[]}'],
  ['no balance', '{"accounts":[{"status":"active"}],"jetton_wallets":[]}'],
  ['a wallet without an amount', `{"accounts":[${account}],"jetton_wallets":[{"jetton":"${master}"}]}`],
  ['an error that says 200', '{"error":"overloaded"}'],
  ['a list', '[]'],
  ['a word', '"ok"'],
  ['nothing', ''],
  ['half of it', held(one('"5"')).slice(0, 60)],
  ['a page for people', '<!doctype html><title>503</title>'],
])('%s is no balance', async (_, body) => {
  const world = await chainWorld()
  world.api.instead = text(body)
  expect(outcome(await balanceOf(world))).toEqual([503, 'chain_unavailable'])
})

const hash = (n: number) => n.toString(16).padStart(64, '0')
const transaction = (more: object) => ({ hash: hash(1), lt: '7', now: 1_780_000_000, total_fees: '1', ...more })
const pageOf = (transactions: unknown[], transfers: unknown[] = []) =>
  JSON.stringify({ transactions, jetton_transfers: transfers })

test.each([
  ['a moment that is none', pageOf([transaction({ now: 1e300 })])],
  ['a moment before there was a chain', pageOf([transaction({ now: -5 })])],
  ['no moment', pageOf([transaction({ now: null })])],
  ['a logical time with a fraction', pageOf([transaction({ lt: '1.5' })])],
  ['a logical time beyond all bounds', pageOf([transaction({ lt: '9'.repeat(20) })])],
  ['no hash', pageOf([transaction({ hash: null })])],
  ['a hole', pageOf([null])],
  [
    'a jetton without a master',
    pageOf([], [{ transaction_hash: hash(2), transaction_lt: '8', amount: '1', transaction_now: 1 }]),
  ],
])('%s is no history: nothing is passed over in silence', async (_, body) => {
  const world = await chainWorld()
  world.api.instead = text(body)
  expect(outcome(await historyOf(world))).toEqual([503, 'chain_unavailable'])
})

test('failed, bounced and strange transactions are told as what they are', async () => {
  const world = await chainWorld()
  const mine = world.wallet.address
  const other = `0:${'12'.repeat(32)}`
  const message = (more: object) => ({ source: other, destination: mine, value: '5', ...more })
  const comment = (text: string) => ({ message_content: { decoded: { '@type': 'text_comment', comment: text } } })
  world.api.instead = text(
    pageOf([
      transaction({ hash: hash(1), lt: '10', description: { aborted: true }, in_msg: { destination: mine } }),
      transaction({ hash: hash(2), lt: '11', in_msg: message({ bounced: true, opcode: '0xffffffff' }) }),
      transaction({ hash: hash(3), lt: '12', in_msg: message(comment('hi \u202eevil\u0000\u2069 there\n👩‍👧')) }),
      transaction({ hash: hash(4), lt: '13', description: 'aborted', in_msg: 'text', out_msgs: { not: 'a list' } }),
      transaction({
        hash: hash(5),
        lt: '13',
        in_msg: message({ value: '99999999999999999999999999', message_content: 7 }),
      }),
    ]),
  )
  const { status, body } = await historyOf(world)
  expect(status).toBe(200)
  const items = body['items'] as { hash: string; success: boolean; transfers: Record<string, unknown>[] }[]
  expect(items.map(({ hash }) => Number(`0x${hash}`))).toEqual([5, 4, 3, 2, 1])
  expect(items.map(({ success }) => success)).toEqual([true, true, true, true, false])
  expect(items[3]!.transfers).toMatchObject([{ kind: 'returned', direction: 'in', amount: '5' }])
  expect(items[2]!.transfers).toMatchObject([{ kind: 'transfer', comment: 'hi evil there\n👩‍👧' }])
  expect([items[1]!.transfers, items[4]!.transfers]).toEqual([[], []])
  expect(items[0]!.transfers).toMatchObject([{ amount: '99999999999999999999999999' }])
})

test('when to come again may be said as a date too, and is kept within bounds', async () => {
  const world = await chainWorld('v2')
  // A number stands for a date so many seconds away.
  for (const [says, seconds] of [
    [20, '20'],
    ['7.2', '8'],
    ['-5', '1'],
    ['soon', '1'],
    ['300', '300'],
    [600, '600'],
    [-20, '1'],
    ['1e9', '3600'],
  ] as const) {
    const said =
      typeof says === 'string' ? says : new Date(world.server.clock.now.getTime() + says * 1000).toUTCString()
    world.api.instead = text('{}', 429, { 'retry-after': said })
    const answer = await balanceOf(world)
    expect([...outcome(answer), answer.headers.get('retry-after')], said).toEqual([503, 'chain_unavailable', seconds])
    world.server.clock.pass(Number(seconds))
  }
})

test('the last known value has the form of a new one', async () => {
  const world = await chainWorld()
  await world.chain.fund(world.wallet.address, 7n * 10n ** 9n)
  const [balance, history] = [(await balanceOf(world)).body, (await historyOf(world)).body]
  world.api.instead = text('no', 500)
  world.server.clock.pass(90)
  expect((await balanceOf(world)).body['lastKnown']).toEqual({ ...balance, ageSeconds: 90 })
  expect((await historyOf(world)).body['lastKnown']).toEqual({ ...history, ageSeconds: 90 })
})

test('an API that hangs is given up on, and those who ask meanwhile wait together', async () => {
  const world = await chainWorld()
  world.api.instead = () => {}
  const began = performance.now()
  const answers = await Promise.all(Array.from({ length: 5 }, () => balanceOf(world)))
  expect(answers.map(outcome)).toEqual(answers.map(() => [503, 'chain_unavailable']))
  expect(world.api.asked).toHaveLength(2)
  expect(performance.now() - began).toBeGreaterThan(3_500)
}, 60_000)
