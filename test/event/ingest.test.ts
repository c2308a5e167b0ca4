import { readFileSync } from 'node:fs'
import { request, type OutgoingHttpHeaders } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { expect, test } from 'vitest'
import { catalogue } from '../../server/event/catalogue.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, newEndpoint, post, sent } from '../support/events.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer } from '../support/server.ts'

/** A call whose bytes and header lines are the caller's own. */
function sendRaw(server: { url: string }, path: string, body: string | Buffer, headers: OutgoingHttpHeaders) {
  return new Promise<{ status: number; body: Record<string, any> }>((resolve, reject) => {
    const sending = request(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    })
    sending.on('error', reject).on('response', (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) as object }))
    })
    sending.end(body)
  })
}

type Sample = { name: string; event: { user: string; data: { op: string; time: string; content: object } } }
const samples = JSON.parse(
  readFileSync(new URL('../../../shared/reference/notification-samples.json', import.meta.url), 'utf8'),
) as Sample[]

/** The catalogue's key of a sample: its op, unless two types share one. */
const keyOf = ({ name, event }: Sample) =>
  ({ 'swap.ExceedSlippage': 'swap.exceed_slippage', 'swap.DifferentDepositAmount': 'swap.different_deposit_amount' })[
    event.data.op
  ] ??
  (event.data.op === 'swap.ProcessingWithdrawal'
    ? name.includes('Confirmed')
      ? 'swap.confirmed'
      : 'swap.completed'
    : event.data.op)

async function withEndpoint(input = {}) {
  // The published samples verify by the machine's clock.
  const server = await startServer({ env: local, now: new Date() })
  const app = await server.createApp()
  const receiver = await startReceiver()
  const { secret } = await newEndpoint(server, app, receiver.url, { ratePerSecond: 1000, ...input })
  return { server, app, receiver, secret, key: await newApiKey(server, app) }
}

test('the 19 published samples go out member for member, and verify with two independent libraries', async () => {
  const { server, app, receiver, secret, key } = await withEndpoint()
  expect(samples).toHaveLength(19)
  const ids: string[] = []
  for (const sample of samples) {
    const { user, data } = sample.event
    const answer = await post(server, app, key, { type: keyOf(sample), user, content: data.content, time: data.time })
    expect(answer.status).toBe(202)
    ids.push(answer.body['id'])
  }
  await server.runtime.outbox.pass()
  const byId = new Map(receiver.received.map((one) => [one.headers['webhook-id'], one]))
  for (const [place, sample] of samples.entries()) {
    const { headers, body } = byId.get(ids[place])!
    expect(body).toBe(JSON.stringify(sample.event))
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual(sample.event)
    // It throws for what does not fit.
    new SvixWebhook(secret).verify(body, headers as Record<string, string>)
  }
  expect([...new Set(samples.map(keyOf))]).toHaveLength(16)
})

test("every type's own sample fits its schema, and without a time it is now in the type's unit", async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const types = [...catalogue.values()].filter(({ origin }) => origin === 'builtin')
  const answer = await post(
    server,
    app,
    key,
    types.map((type) => ({ type: type.key, user: 'u', content: type.sample })),
  )
  expect(answer.status).toBe(202)
  expect(answer.body['ids']).toHaveLength(16)
  await server.runtime.outbox.pass()
  const now = server.clock.now.getTime()
  for (const type of types) {
    const found = receiver.received.filter(({ json }) => json.data.op === type.op)
    const time = type.unit === 's' ? Math.floor(now / 1000) : now
    for (const { json } of found) expect(json.data.time).toBe(String(time))
  }
})

test('numbers keep their digits, their zeros and their size on the way through', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const content =
    '{"symbol":"BTC","amount":123456789012345678.1234567890,"small":1e-7,"exact":1.10,"n":{"deep":[0.10]}}'
  const answer = await post(server, app, key, `{"type":"buy.success","user":"u","content":${content}}`)
  expect(answer.status).toBe(202)
  await server.runtime.outbox.pass()
  const [{ body, json }] = receiver.received as [(typeof receiver.received)[0]]
  expect(body).toContain(content)
  expect(json.body).toBe('You have successfully bought and received 123456789012345678.1234567890 BTC.')
})

test('members keep their order, their names and their escapes, and blanks between them go', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const content =
    '{"symbol":"B\\u0054C","10":1,"2":[0.10,{"b":-0,"1":1E+2}],"amount":"1","__proto__":{"a":1},"\\u0061":"\\/ \\"{,"}'
  const spaced = content.replace('"10":1,', ' "10" :\n1 ,\t')
  const one = `{"content": ${spaced} , "type":"buy.success","user":"u"}`
  for (const body of [one, `[${JSON.stringify(sent)}, ${one}]`])
    expect((await post(server, app, key, body)).status).toBe(202)
  await server.runtime.outbox.pass()
  const bought = receiver.received.filter(({ json }) => json.data.op === 'buy.success')
  expect(bought).toHaveLength(2)
  for (const { body, json } of bought) {
    expect(body).toMatch(
      /^\{"user":"u","title":"[^"]+","body":"[^"]+","data":\{"op":"buy.success","time":"\d+","content":\{/,
    )
    expect(body.slice(body.indexOf('"content":') + 10, -2)).toBe(content)
    expect(json.title).toBe('Buying BTC completed')
  }
})

test.each([
  [
    'a member that stands twice',
    '{"type":"kyc.success","user":"u","content":{"a":{"b":1,"\\u0062":2}}}',
    'content.a.b',
  ],
  ['a user named twice', '[{"type":"kyc.success","user":"u","user":"v","content":{}}]', '0.user'],
  ['a member of the body that is none', '{"type":"kyc.success","user":"u","content":{},"__proto__":{}}', '__proto__'],
])('%s is refused, and where it stands is said', async (_, body, path) => {
  const { server, app, key } = await withEndpoint()
  const answer = await post(server, app, key, body)
  expect([answer.status, answer.body['errors']]).toEqual([400, [expect.objectContaining({ path })]])
})

test.each([501, 5_000, 60_000])('what is nested %i levels deep is refused in words', async (depth) => {
  const { server, app, key } = await withEndpoint()
  const nested = (open: string, close: string, n: number) =>
    `{"type":"kyc.success","user":"u","content":{"a":${open.repeat(n)}1${close.repeat(n)}}}`
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const answer = await post(server, app, key, nested(open, close, depth).slice(0, 250_000))
    expect(answer.status).toBe(400)
    if (depth < 10_000) expect(answer.body['detail']).toContain('nested more than 500 levels deep')
    expect((await post(server, app, key, nested(open, close, 400))).status).toBe(202)
  }
})

test('a schema that takes no other members takes none called __proto__ either', async () => {
  const { server, app, key } = await withEndpoint()
  const client = consoleClient(server, bearer(await operatorToken(server)))
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, additionalProperties: false }
  const templates = { en: { title: 'Order', body: '{n}' } }
  await client.eventTypes.create.mutate({
    appId: app.publicId,
    key: 'order.shipped',
    schema,
    sample: { n: 1 },
    templates,
  })
  const answer = await post(
    server,
    app,
    key,
    '{"type":"order.shipped","user":"u","content":{"n":1,"__proto__":{"n":2}}}',
  )
  expect(answer.body['errors']).toEqual([{ path: 'content.__proto__', message: 'is not a member of this type' }])
})

test('the reward is called what the app calls it', async () => {
  const server = await startServer({ env: local })
  const app = await server.createApp({ rewardName: 'Quest Stars' })
  const receiver = await startReceiver()
  await newEndpoint(server, app, receiver.url)
  const key = await newApiKey(server, app)
  const content = { symbol: 'BTC', amount: 1, addedPoints: '500' }
  await post(server, app, key, { type: 'sell.success', user: 'u', content })
  await server.runtime.outbox.pass()
  expect(receiver.received[0]!.json.body).toBe(
    'You have successfully sold 1 BTC.\nYour Quest Stars increased 500 points',
  )
})

test('bad input names every fault and writes nothing', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const { to: _, ...short } = sent.content
  const answer = await post(server, app, key, [
    sent,
    { ...sent, content: { ...short, symbol: 7 } },
    { ...sent, type: 'txn.unheard' },
    { ...sent, type: 'user.logout' },
    { ...sent, user: '', extra: 1 },
    { ...sent, time: 'yesterday' },
    'text',
    { type: 'txn.unheard', user: '', content: {} },
    { type: 'buy.fail', user: 7, content: { symbol: 'BTC' } },
  ])
  expect(answer.status).toBe(400)
  expect(answer.body['errors'].map((fault: { path: string }) => fault.path).sort()).toEqual([
    '1.content.symbol',
    '1.content.to',
    '2.type',
    '3.type',
    '4.extra',
    '4.user',
    '5.time',
    '6',
    '7.type',
    '7.user',
    '8.content.amount',
    '8.user',
  ])
  for (const body of ['{', '[]', 'null', '{"type":"txn.sent"}', JSON.stringify(Array(101).fill(sent))])
    expect((await post(server, app, key, body)).status).toBe(400)
  expect(
    (await post(server, app, key, { ...sent, content: { ...sent.content, memo: 'x'.repeat(66_000) } })).status,
  ).toBe(413)
  await server.runtime.outbox.pass()
  expect(receiver.received).toEqual([])
})

test.each<[string, string | Buffer, OutgoingHttpHeaders, number, string | undefined]>([
  ['a user that is half a character', '{"type":"kyc.success","user":"\\ud800","content":{}}', {}, 400, 'user'],
  ['a content that is a list', '{"type":"kyc.success","user":"u","content":[]}', {}, 400, 'content'],
  ['a time with a fraction', '{"type":"kyc.success","user":"u","content":{},"time":1.5}', {}, 400, 'time'],
  [
    'bytes that are no UTF-8',
    Buffer.from('{"type":"kyc.success","user":"\xff","content":{}}', 'latin1'),
    {},
    400,
    undefined,
  ],
  ['two keys at once', JSON.stringify(sent), { 'idempotency-key': ['a', 'b'] }, 400, undefined],
])('%s is refused, and said to be so in words', async (_name, body, headers, status, path) => {
  const { server, app, key } = await withEndpoint()
  const answer = await sendRaw(server, `/v1/apps/${app.slug}/events`, body, {
    authorization: `Bearer ${key}`,
    ...headers,
  })
  expect([answer.status, answer.body.errors?.[0].path]).toEqual([status, path])
  expect(JSON.stringify(answer.body)).not.toMatch(/record|Invalid input/)
})

test('of a hundred events the one that weighs too much is named, and none is written', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const events = Array.from({ length: 100 }, () => ({ type: 'kyc.success', user: 'u', content: {} as object }))
  events[98] = { ...events[98]!, content: { memo: 'x'.repeat(66_000) } }
  const answer = await post(server, app, key, events)
  expect([answer.status, answer.body['errors']]).toEqual([413, [{ path: '98.content', message: expect.any(String) }]])
  await server.runtime.outbox.pass()
  expect(receiver.received).toEqual([])
})

test('only the app itself may record: its key with the scope, or an address on its list', async () => {
  const { server, app, key } = await withEndpoint()
  const other = await server.createApp({ name: 'Other' })
  expect((await post(server, other, key, sent)).status).toBe(404)
  expect((await post(server, { slug: 'nowhere' }, key, sent)).status).toBe(404)
  expect((await post(server, app, await newApiKey(server, app, { scopes: ['events:read'] }), sent)).status).toBe(403)
  expect((await post(server, app, `${key}x`, sent)).status).toBe(401)
  const anonymous = () => call(server, 'POST', `/v1/apps/${app.slug}/events`, { body: sent })
  expect((await anonymous()).status).toBe(401)
  expect((await call(server, 'GET', `/v1/apps/${app.slug}/events`, { token: key })).status).toBe(405)

  const listed = await server.createApp({ name: 'Listed', ipAllowList: ['127.0.0.0/8'] })
  expect((await call(server, 'POST', `/v1/apps/${listed.slug}/events`, { body: sent })).status).toBe(202)
  const far = await server.createApp({ name: 'Far', ipAllowList: ['203.0.113.0/24'] })
  const farKey = await newApiKey(server, far)
  expect((await post(server, far, farKey, sent)).body['code']).toBe('ip_not_allowed')
})

test('an Idempotency-Key gives the first answer again for a day, and is refused for another body', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const once = { 'idempotency-key': 'order-17' }
  const first = await post(server, app, key, sent, once)
  const second = await post(server, app, key, sent, once)
  expect([first.status, second.status]).toEqual([202, 202])
  expect(second.body).toEqual(first.body)
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  const changed = await post(server, app, key, { ...sent, user: 'else' }, once)
  expect([changed.status, changed.body['code']]).toEqual([422, 'idempotency_mismatch'])

  const other = await server.createApp({ name: 'Other' })
  expect((await post(server, other, await newApiKey(server, other), sent, once)).body).not.toEqual(first.body)
  server.clock.pass(86_400)
  expect((await post(server, app, key, sent, once)).body).not.toEqual(first.body)
  expect((await post(server, app, key, sent, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400)
  await server.runtime.outbox.pass()
  expect(receiver.received).toHaveLength(2)
})

test('of fifty calls at once with one Idempotency-Key one records, and the others are told so or to wait', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  const calls = await Promise.all(
    Array.from({ length: 50 }, () => post(server, app, key, sent, { 'idempotency-key': 'at once' })),
  )
  expect(calls.filter(({ status }) => status !== 202 && status !== 409)).toEqual([])
  expect(new Set(calls.filter(({ status }) => status === 202).map(({ body }) => body['id'])).size).toBe(1)
  await server.runtime.outbox.pass()
  expect(receiver.received).toHaveLength(1)
})

test('an app reads what became of its event, and no other app does', async () => {
  const { server, app, receiver, key } = await withEndpoint()
  receiver.answer((response) => response.writeHead(503, { 'retry-after': '60' }).end('later'))
  const { id } = (await post(server, app, key, sent)).body as { id: string }
  await server.runtime.outbox.pass()
  const found = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
  expect(found.status).toBe(200)
  expect(found.body).toMatchObject({
    id,
    type: 'txn.sent',
    user: '987654321',
    title: 'Sent ONE',
    deliveries: [
      {
        channel: 'webhook',
        status: 'retrying',
        tries: 1,
        attempts: [{ number: 1, outcome: 'http_5xx', status: 503, response: { body: 'later' } }],
      },
    ],
  })
  const other = await server.createApp({ name: 'Other' })
  const answer = await call(server, 'GET', `/v1/apps/${other.slug}/events/${id}`, {
    token: await newApiKey(server, other),
  })
  expect(answer.status).toBe(404)
  for (const wrong of ['evt_0', 'x', id.slice(0, -1)])
    expect((await call(server, 'GET', `/v1/apps/${app.slug}/events/${wrong}`, { token: key })).status).toBe(404)
})
