import { createPublicKey, verify } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { cliActor } from '../../server/operator/audit.ts'
import { rotateSecret } from '../../server/webhook/change.ts'
import { findEndpoint } from '../../server/webhook/store.ts'
import { newApiKey } from '../support/apiKey.ts'
import { dumpDatabase } from '../support/dump.ts'
import { local, newEndpoint, patchEndpoint, post, sent } from '../support/events.ts'
import { startPair } from '../support/pair.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer, type TestServer } from '../support/server.ts'

/** A name that leads into somebody's own network. */
const inward = async () => [{ address: '10.1.2.3', family: 4 }]

async function setUp(input = {}) {
  const server = await startServer({ env: local, now: new Date(), lookup: inward })
  const app = await server.createApp()
  const receiver = await startReceiver()
  const endpoint = await newEndpoint(server, app, receiver.url, { ratePerSecond: 1000, ...input })
  const key = await newApiKey(server, app)
  const emit = async (event: object = {}) => {
    const answer = await post(server, app, key, { ...sent, ...event })
    expect(answer.status).toBe(202)
    return answer.body['id'] as string
  }
  const look = async (id: string) => {
    const { body } = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
    return body['deliveries'][0] as Record<string, any>
  }
  const pass = (seconds = 0) => {
    server.clock.pass(seconds)
    return server.runtime.outbox.pass()
  }
  const row = async () => (await findEndpoint(server.runtime.db, endpoint.row.id))!
  return { server, app, receiver, endpoint, key, emit, look, pass, row }
}

test('while the server runs, an event goes out at once and not at the next look', async () => {
  const { server, receiver, emit } = await setUp()
  server.runtime.outbox.start()
  await emit()
  await expect.poll(() => receiver.received.length).toBe(1)
  const delays = []
  for (let n = 2; n < 7; n++) {
    const began = performance.now()
    await emit()
    await expect.poll(() => receiver.received.length, { interval: 2 }).toBe(n)
    delays.push(performance.now() - began)
  }
  // It looks by itself once a second.
  expect(delays.toSorted((a, b) => a - b)[2]).toBeLessThan(700)
  expect(server.logged()).not.toContain('"level":50')
})

test('a failing endpoint is tried ten times by the schedule, the same bytes under the same id, and then the event is dead', async () => {
  const { receiver, emit, look, pass } = await setUp()
  receiver.answer(500)
  const id = await emit()
  await pass()
  const delays = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
  for (const [place, delay] of delays.entries()) {
    const { nextAttemptAt, attempts } = await look(id)
    const waits = (Date.parse(nextAttemptAt) - Date.parse(attempts.at(-1).at)) / 1000
    expect(waits).toBeGreaterThanOrEqual(delay)
    expect(waits).toBeLessThanOrEqual(delay * 1.2)
    await pass(delay - 1)
    expect(receiver.received).toHaveLength(place + 1)
    await pass(waits - delay + 1)
    expect(receiver.received).toHaveLength(place + 2)
  }
  expect(await look(id)).toMatchObject({ status: 'dead', tries: 10, nextAttemptAt: null, reason: 'http_5xx' })
  await pass(1_000_000)
  expect(receiver.received).toHaveLength(10)
  expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]))
  const stamps = receiver.received.map(({ headers }) => Number(headers['webhook-timestamp']))
  expect(stamps).toEqual(stamps.toSorted((a, b) => a - b))
})

test.each([
  ['600', 600],
  ['Fri, 01 Jan 2100 00:00:00 GMT', 86_400],
  ['soon', 5],
  ['-5', 5],
])('Retry-After %s is honoured, up to a day', async (value, seconds) => {
  const { receiver, emit, look, pass } = await setUp()
  receiver.answer((response) => response.writeHead(429, { 'retry-after': value }).end())
  const id = await emit()
  await pass()
  const { nextAttemptAt, attempts } = await look(id)
  const waits = (Date.parse(nextAttemptAt) - Date.parse(attempts[0].at)) / 1000
  expect(waits).toBeGreaterThanOrEqual(seconds)
  expect(waits).toBeLessThanOrEqual(Math.max(seconds, 6))
})

test('what fails in one moment is written together, and each delivery keeps its own fate', async () => {
  const { receiver, emit, look, pass } = await setUp({ concurrency: 50 })
  const answers = new Map<string, number>()
  receiver.answer((response, { headers }) => {
    const place = answers.get(headers['webhook-id'] as string)!
    if (place % 3 === 0) response.writeHead(204).end()
    else if (place % 3 === 1) response.writeHead(503).end()
    else response.writeHead(429, { 'retry-after': String(600 + 10 * place) }).end()
  })
  for (let place = 0; place < 37; place++) answers.set(await emit(), place)
  await pass()
  expect(receiver.received).toHaveLength(37)
  for (const [id, place] of answers) {
    const { status, tries, reason, nextAttemptAt, attempts } = await look(id)
    const told = { status, tries, reason, attempts: attempts.length }
    if (place % 3 === 0) {
      expect(told).toEqual({ status: 'delivered', tries: 1, reason: 'ok', attempts: 1 })
      expect(nextAttemptAt).toBeNull()
      continue
    }
    const limited = place % 3 === 2
    expect(told).toEqual({
      ...{ status: 'retrying', tries: 1, attempts: 1 },
      reason: limited ? 'http_4xx' : 'http_5xx',
    })
    const waits = (Date.parse(nextAttemptAt) - Date.parse(attempts[0].at)) / 1000
    const least = limited ? 600 + 10 * place : 5
    expect(waits).toBeGreaterThanOrEqual(least)
    expect(waits).toBeLessThanOrEqual(least + 2)
  }
})

test('a redirect is a failure and is not followed', async () => {
  const { receiver, emit, look, pass } = await setUp()
  const elsewhere = await startReceiver()
  receiver.answer((response) => response.writeHead(307, { location: elsewhere.url }).end())
  const id = await emit()
  await pass()
  expect(elsewhere.received).toEqual([])
  expect((await look(id))['attempts'][0]).toMatchObject({ outcome: 'http_3xx', status: 307 })
  expect((await look(id))['attempts'][0].explanation).toContain('redirect')
})

test('410 disables the endpoint; what it is owed and what arrives is held, and sent when an operator says so', async () => {
  const { server, app, endpoint, receiver, emit, look, pass, row } = await setUp()
  receiver.answer(410)
  const first = await emit()
  await pass()
  expect(await row()).toMatchObject({ state: 'disabled', stateReason: 'It answered 410 Gone' })
  const second = await emit()
  await pass(100_000)
  expect(receiver.received).toHaveLength(1)
  expect([(await look(first))['status'], (await look(second))['status']]).toEqual(['held', 'held'])

  receiver.answer(204)
  await patchEndpoint(server, app, endpoint.row.id, { state: 'active' })
  await pass()
  expect(receiver.received).toHaveLength(1)
  const third = await emit()
  await patchEndpoint(server, app, endpoint.row.id, { state: 'active', sendHeld: true })
  await pass()
  expect(
    receiver.received
      .map(({ headers }) => headers['webhook-id'])
      .slice(1)
      .sort(),
  ).toEqual([first, second, third].sort())
  expect((await look(first))['status']).toBe('delivered')
})

test('an endpoint that took nothing for five days is disabled and the operators are told; one success begins anew', async () => {
  const { server, receiver, emit, pass, row } = await setUp()
  receiver.answer(500)
  await emit()
  await pass()
  await pass(4 * 86_400)
  receiver.answer(204)
  await pass(86_400)
  expect(await row()).toMatchObject({ state: 'active', failingSince: null })
  receiver.answer(500)
  await emit()
  await pass()
  await emit()
  await pass(5 * 86_400)
  expect(await row()).toMatchObject({ state: 'disabled', stateReason: 'It took nothing for five days' })
  expect(server.logged()).toContain('a webhook endpoint was disabled')
})

test('after a rotation both secrets sign for a day, then only the new one', async () => {
  const { server, app, endpoint, receiver, emit, pass } = await setUp()
  const { secret } = await rotateSecret(server.runtime, cliActor, app, endpoint.row.id, 86_400)
  await emit()
  await pass()
  const [one] = receiver.received
  expect(String(one!.headers['webhook-signature']).split(' ')).toHaveLength(2)
  const headers = one!.headers as Record<string, string>
  for (const either of [secret, endpoint.secret]) new Webhook(either).verify(one!.body, headers)

  server.clock.pass(86_400)
  await emit()
  await pass()
  const later = receiver.received[1]!
  expect(String(later.headers['webhook-signature']).split(' ')).toHaveLength(1)
})

test('an endpoint with a key pair is signed for with v1a too, by a key of its own that is published', async () => {
  const { server, receiver, endpoint, emit, pass } = await setUp({ asymmetric: true })
  await emit()
  await pass()
  const { headers, body } = receiver.received[0]!
  const signature = /v1a,(\S+)/.exec(String(headers['webhook-signature']))![1]!
  const { keys } = (await call(server, 'GET', '/.well-known/webhook-keys')).body as { keys: Record<string, string>[] }
  const kid = server.runtime.vault.ids.seal('whe', endpoint.row.id)
  const key = keys.find((one) => one['kid'] === kid)!
  const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  const publicKey = createPublicKey({ key: key as any, format: 'jwk' })
  expect(verify(null, Buffer.from(content), publicKey, Buffer.from(signature, 'base64'))).toBe(true)
  expect(key['whpk']).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/)
  expect(JSON.stringify(keys)).not.toContain('"d"')
})

test('the extended payload puts id, type, timestamp and a number without gaps before the four members', async () => {
  const { receiver, emit, pass } = await setUp({ payloadFormat: 'extended', types: ['txn.*'] })
  const ids = []
  for (const user of ['a', 'b', 'a', 'a']) ids.push(await emit({ user }))
  await emit({ type: 'kyc.success', content: {}, user: 'a' })
  await pass()
  const byId = new Map(receiver.received.map((one) => [one.json.id, one.json]))
  expect(ids.map((id) => [byId.get(id).user, byId.get(id).seq])).toEqual([
    ['a', 1],
    ['b', 1],
    ['a', 2],
    ['a', 3],
  ])
  expect(Object.keys(receiver.received[0]!.json)).toEqual([
    'id',
    'type',
    'timestamp',
    'seq',
    'user',
    'title',
    'body',
    'data',
  ])
  expect(receiver.received).toHaveLength(4)
})

test("in order means: one person's events wait for each other, and nobody else's do", async () => {
  const { receiver, emit, pass } = await setUp({ ordered: true })
  receiver.answer((response, { json }) =>
    response.writeHead(json.user === 'a' && json.data.content.to === '1' ? 500 : 204).end(),
  )
  const to = (user: string, to: string) => emit({ user, content: { ...sent.content, to } })
  for (const n of ['1', '2', '3']) await to('a', n)
  await to('b', '1')
  await pass()
  expect(receiver.received.map(({ json }) => json.user + json.data.content.to)).toEqual(['a1', 'b1'])
  receiver.answer(204)
  await pass(10)
  expect(receiver.received.map(({ json }) => json.user + json.data.content.to)).toEqual(['a1', 'b1', 'a1', 'a2', 'a3'])
})

test('when most of many tries fail the circuit opens, then one probe closes it again', async () => {
  const { receiver, emit, pass, row } = await setUp({ concurrency: 5 })
  receiver.answer(503)
  for (let n = 0; n < 60; n++) await emit()
  await pass()
  const tried = receiver.received.length
  expect(tried).toBeGreaterThanOrEqual(20)
  expect(tried).toBeLessThanOrEqual(30)
  expect((await row()).openUntil).not.toBeNull()
  await pass(30)
  expect(receiver.received).toHaveLength(tried)
  await pass(31)
  expect(receiver.received).toHaveLength(tried + 1)
  expect((await row()).openings).toBe(2)
  receiver.answer(204)
  await pass(121)
  await pass(400)
  expect((await row()).openUntil).toBeNull()
  const delivered = new Set(receiver.received.slice(tried + 1).map(({ headers }) => headers['webhook-id']))
  expect(delivered.size).toBe(60)
})

test('what was claimed for an endpoint that is paused or fails meanwhile is given back and not sent', async () => {
  const { server, app, endpoint, receiver, emit, look, pass } = await setUp({ concurrency: 1 })
  let fail: (() => void) | undefined
  receiver.answer((response) => void (fail = () => response.writeHead(500).end()))
  const ids = [await emit(), await emit(), await emit()]
  const passed = pass()
  await expect.poll(() => fail).toBeDefined()
  expect((await look(ids[1]!))['status']).toBe('sending')
  await patchEndpoint(server, app, endpoint.row.id, { state: 'paused' })
  fail!()
  await passed
  expect(receiver.received).toHaveLength(1)
  for (const id of ids) expect(await look(id)).toMatchObject({ status: 'held', reason: 'endpoint_off' })
  expect(await look(ids[1]!)).toMatchObject({ tries: 0, attempts: [] })
})

test('rate and concurrency of an endpoint hold', async () => {
  const { receiver, emit, pass } = await setUp({ ratePerSecond: 20, concurrency: 3 })
  let [open, most] = [0, 0]
  receiver.answer((response) => {
    most = Math.max(most, ++open)
    setTimeout(() => {
      open--
      response.writeHead(204).end()
    }, 20)
  })
  for (let n = 0; n < 40; n++) await emit()
  await pass()
  const times = receiver.received.map(({ at }) => at)
  expect(times).toHaveLength(40)
  expect(most).toBe(3)
  // The first second's worth may go at once, the other twenty take a second.
  expect(times.at(-1)! - times[0]!).toBeGreaterThan(850)
})

test('an endpoint that never answers does not delay the others', async () => {
  const { server, app, emit } = await setUp()
  const [hanging, prompt] = [await startReceiver(), await startReceiver()]
  hanging.answer(() => {})
  await newEndpoint(server, app, hanging.url, { timeoutMs: 30_000, concurrency: 2 })
  await newEndpoint(server, app, prompt.url, { ratePerSecond: 1000 })
  for (let n = 0; n < 30; n++) await emit()
  const passed = server.runtime.outbox.pass()
  // The hanging one's first time-out is half a minute away.
  await expect.poll(() => prompt.received.length, { timeout: 15_000 }).toBe(30)
  expect(hanging.received).toHaveLength(2)
  await hanging.close()
  await passed
})

test('an endpoint that hangs on as many connections as it may does not delay another one of the same host', async () => {
  const { server, app, receiver, key } = await setUp({ types: ['kyc.success'] })
  const hang = new URL(receiver.url)
  hang.pathname = '/hang'
  receiver.answer((response, { json }) => void (json.data.op === 'kyc.success' && response.writeHead(204).end()))
  const { row } = await newEndpoint(server, app, hang.href, {
    ...{ types: ['txn.sent'], timeoutMs: 30_000, concurrency: 200, ratePerSecond: 1000 },
  })
  await post(server, app, key, Array(100).fill(sent))
  await post(server, app, key, Array(100).fill(sent))
  const passed = server.runtime.outbox.pass()
  await expect.poll(() => receiver.received.length, { timeout: 15_000 }).toBe(200)
  await post(server, app, key, { type: 'kyc.success', user: 'u1', content: {} })
  const prompt = () => receiver.received.filter(({ json }) => json.data.op === 'kyc.success')
  void server.runtime.outbox.pass()
  await expect.poll(() => prompt().length, { timeout: 15_000 }).toBe(1)
  await patchEndpoint(server, app, row.id, { state: 'paused' })
  await receiver.close()
  await passed
})

test('two servers on one database share the work and send nothing twice', async () => {
  const { one, two } = await startPair(local)
  const app = await one.createApp()
  const receiver = await startReceiver()
  await newEndpoint(one, app, receiver.url, { ratePerSecond: 10_000, concurrency: 10 })
  const key = await newApiKey(one, app)
  const send = (server: TestServer) =>
    post(
      server,
      app,
      key,
      Array.from({ length: 50 }, () => sent),
    )
  await Promise.all([one, two, one, two, one, two].map(send))
  await Promise.all([one, two].map((server) => server.runtime.outbox.pass()))
  expect(receiver.received).toHaveLength(300)
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(300)
})

test('two servers on one database keep the limits of an endpoint together, and one of them probes', async () => {
  const { one, two, pass } = await startPair(local)
  const app = await one.createApp()
  const receiver = await startReceiver()
  await newEndpoint(one, app, receiver.url, { ratePerSecond: 10_000, concurrency: 3 })
  const key = await newApiKey(one, app)
  const both = () => Promise.all([one, two].map((server) => server.runtime.outbox.pass()))
  // Each is known to the other once it has sent.
  for (const server of [one, two, one]) {
    await post(server, app, key, sent)
    await server.runtime.outbox.pass()
  }
  let [open, most] = [0, 0]
  receiver.answer((response) => {
    most = Math.max(most, ++open)
    setTimeout(() => {
      open--
      response.writeHead(503).end()
    }, 20)
  })
  await post(one, app, key, Array(60).fill(sent))
  await both()
  expect(most).toBe(3)
  const tried = receiver.received.length
  pass(30)
  await both()
  expect(receiver.received).toHaveLength(tried)
  pass(31)
  await both()
  expect(receiver.received).toHaveLength(tried + 1)
})

test('a name that leads to an address that is not public is never called, and the log says why', async () => {
  const { server, app, endpoint, receiver, emit, look, pass } = await setUp()
  const { port } = new URL(receiver.url)
  await patchEndpoint(server, app, endpoint.row.id, { url: `http://internal.test:${port}/hook` })
  const id = await emit()
  await pass()
  expect(receiver.received).toEqual([])
  const found = await look(id)
  expect(found).toMatchObject({ status: 'dead', reason: 'address_refused', attempts: [{ outcome: 'address_refused' }] })
  expect(found['attempts'][0].explanation).toContain('GATEHOUSE_ALLOW_NETWORKS')
})

test("an endpoint's own headers go out, and come back nowhere: not from the database, the log or an echo", async () => {
  const secret = 'canary-4711-header-value'
  const { server, receiver, endpoint, emit, look, pass } = await setUp({ headers: { 'X-Api-Key': secret } })
  receiver.answer((response, { headers }) => response.writeHead(400).end(JSON.stringify(headers)))
  const id = await emit()
  await pass()
  expect(receiver.received[0]!.headers['x-api-key']).toBe(secret)
  const found = JSON.stringify(await look(id))
  expect(found).toContain('••••')
  for (const text of [found, server.logged(), await dumpDatabase(server.runtime.config.databaseUrl)]) {
    expect(text).not.toContain(secret)
    expect(text).not.toContain(endpoint.secret)
    expect(text).not.toContain(endpoint.secret.slice('whsec_'.length))
  }
  // What happened to people is nobody's but the app's either.
  expect(await dumpDatabase(server.runtime.config.databaseUrl)).not.toContain('0xb0....55a7')
})

test('what an answer weighs is kept to 16 KiB, and a dripping one is cut at the time-out', async () => {
  const { receiver, emit, look, pass } = await setUp({ timeoutMs: 1_000 })
  receiver.answer((response) => response.writeHead(200).end('x'.repeat(5_000_000)))
  const large = await emit()
  await pass()
  const [attempt] = (await look(large))['attempts']
  expect(attempt.response).toMatchObject({ truncated: true })
  expect(attempt.response.body).toHaveLength(16_384)

  receiver.answer((response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 50)
    response.on('close', () => clearInterval(drip))
  })
  const dripping = await emit()
  await pass()
  expect((await look(dripping))['attempts'][0]).toMatchObject({ outcome: 'timed_out' })
})
