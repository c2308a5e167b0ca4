import { expect, test } from 'vitest'
import { catalogue } from '../../server/event/catalogue.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, newEndpoint, post, sent } from '../support/events.ts'
import { bearer, consoleClient, operatorToken, refusalCode } from '../support/operator.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer } from '../support/server.ts'

async function setUp() {
  const server = await startServer({ env: local, now: new Date() })
  const app = await server.createApp()
  const receiver = await startReceiver()
  const token = await operatorToken(server, 'admin')
  const client = consoleClient(server, bearer(token))
  const key = await newApiKey(server, app)
  return { server, app, appId: app.publicId, receiver, token, client, key }
}

test('an endpoint is made, shown, changed and removed, over tRPC and REST alike; its secret is shown once', async () => {
  const { server, appId, receiver, token, client } = await setUp()
  const made = await call(server, 'POST', `/api/v1/apps/${appId}/webhooks`, {
    token,
    body: { url: receiver.url, types: ['txn.*'], headers: { Authorization: 'Bearer canary-header' } },
  })
  expect(made.status).toBe(201)
  const { id: webhookId, secret } = made.body as { id: string; secret: string }
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(made.body).toMatchObject({
    url: receiver.url,
    types: ['txn.*'],
    payloadFormat: 'standard',
    ratePerSecond: 50,
    concurrency: 10,
    timeoutMs: 15_000,
    headerNames: ['Authorization'],
    state: 'active',
    health: { status: 'idle', waiting: 0, held: 0, dead: 0 },
  })
  const shown = await client.webhooks.get.query({ appId, webhookId })
  expect(JSON.stringify(shown)).not.toContain(secret)
  expect(JSON.stringify([shown, await client.audit.list.query({})])).not.toMatch(/canary-header|whsec_/)
  expect(shown.health.hours).toHaveLength(24)
  const changed = await client.webhooks.update.mutate({ appId, webhookId, payloadFormat: 'extended', state: 'paused' })
  expect(changed).toMatchObject({ payloadFormat: 'extended', state: 'paused', types: ['txn.*'] })
  expect((await client.webhooks.list.query({ appId })).items.map(({ id }) => id)).toEqual([webhookId])
  expect((await call(server, 'DELETE', `/api/v1/apps/${appId}/webhooks/${webhookId}`, { token })).status).toBe(204)
  expect(await refusalCode(client.webhooks.get.query({ appId, webhookId }))).toBe('not_found')
})

test.each([
  ['no address', { url: undefined }, 'url'],
  ['no http', { url: 'ftp://example.com' }, 'url'],
  ['an address of the own network', { url: 'http://10.0.0.1/hook' }, 'url'],
  ['the metadata of a cloud', { url: 'http://169.254.169.254/latest' }, 'url'],
  ['an address in disguise', { url: 'http://0xa.1/hook' }, 'url'],
  ['credentials', { url: 'https://a:b@example.com' }, 'url'],
  ['a header of ours', { headers: { 'Webhook-Id': 'x' } }, 'headers.Webhook-Id'],
  ['a header that breaks the line', { headers: { 'X-A': 'a\r\nX-B: b' } }, 'headers.X-A'],
  ['a type nobody sends', { types: ['txn.*', 'txn.snet'] }, 'types.1'],
  ['a pattern', { types: ['t*'] }, 'types.0'],
  ['a secret that is too short', { secret: 'whsec_AAAA' }, 'secret'],
  ['an unknown member', { color: 'red' }, 'color'],
])('%s is refused with the member that is wrong', async (_name, change, path) => {
  const { server, appId, token } = await setUp()
  const body = { url: 'https://example.com/hook', ...change }
  const answer = await call(server, 'POST', `/api/v1/apps/${appId}/webhooks`, { token, body })
  expect(answer.status).toBe(400)
  expect(answer.body['errors'].map((fault: { path: string }) => fault.path)).toContain(path)
  expect(JSON.stringify(answer.body)).not.toMatch(/Invalid key|undefined/)
})

test('a test event goes to that endpoint alone, at once, and says what it answered', async () => {
  const { appId, receiver, client } = await setUp()
  const elsewhere = await startReceiver()
  await client.webhooks.create.mutate({ appId, url: elsewhere.url })
  const { id: webhookId } = await client.webhooks.create.mutate({ appId, url: receiver.url })
  const good = await client.webhooks.test.mutate({ appId, webhookId })
  expect(good).toMatchObject({ delivered: true, outcome: 'ok', status: 204 })
  expect(receiver.received[0]!.json).toMatchObject({ user: '987654321', data: { op: 'txn.sent' } })
  receiver.answer(401)
  const bad = await client.webhooks.test.mutate({ appId, webhookId, type: 'kyc.success', content: {} })
  expect(bad).toMatchObject({ delivered: false, status: 401 })
  expect(bad.explanation).toContain('secret')
  expect(elsewhere.received).toEqual([])
  expect(await refusalCode(client.webhooks.test.mutate({ appId, webhookId, content: { symbol: 1 } }))).toBe(
    'invalid_request',
  )
  const { notification, deliveries } = await client.notifications.get.query({ id: bad.notificationId })
  expect([notification.source, notification.status, deliveries[0]!.attempts.length]).toEqual(['test', 'dead', 1])
  expect((await client.webhooks.get.query({ appId, webhookId })).health.status).toBe('idle')
})

test('the log filters, pages, explains and replays', async () => {
  const { server, app, appId, receiver, client, key } = await setUp()
  const { id: webhookId } = await client.webhooks.create.mutate({ appId, url: receiver.url, ratePerSecond: 1000 })
  receiver.answer((response, { json }) => response.writeHead(json.user === 'bad' ? 404 : 204).end())
  const ids: string[] = []
  for (const user of ['u1', 'u2', 'bad', 'u3', 'bad']) {
    server.clock.pass(1)
    ids.push((await post(server, app, key, { ...sent, user })).body['id'])
  }
  await post(server, app, key, { type: 'kyc.success', user: 'u1', content: {} })
  await server.runtime.outbox.pass()
  const list = async (filter: object) =>
    (await client.notifications.list.query(filter)).items.map(({ user, type }) => [user, type])
  expect(await list({ user: 'u1' })).toEqual([
    ['u1', 'kyc.success'],
    ['u1', 'txn.sent'],
  ])
  expect(await list({ status: 'retrying' })).toEqual([
    ['bad', 'txn.sent'],
    ['bad', 'txn.sent'],
  ])
  expect(await list({ status: 'delivered', type: 'kyc.success' })).toEqual([['u1', 'kyc.success']])
  expect(await list({ status: 'dead' })).toEqual([])
  expect(await list({ status: 'pending' })).toEqual([])
  expect(await list({ appId, status: 'retrying', channel: 'webhook', endpointId: webhookId })).toHaveLength(2)
  expect(await list({ type: 'kyc.success', status: 'retrying' })).toEqual([])
  const other = await client.apps.create.mutate({ name: 'Other' })
  expect(await list({ appId: other.id, endpointId: webhookId })).toEqual([])
  expect(await list({ appId: other.id, status: 'retrying' })).toEqual([])
  expect(await list({ q: ids[3] })).toEqual([['u3', 'txn.sent']])
  expect(await list({ q: 'your kyc success' })).toEqual([['u1', 'kyc.success']])
  expect(await list({ q: '0XB0....55A7', status: 'retrying' })).toHaveLength(2)
  expect(await list({ q: 'nobody wrote "this"' })).toEqual([])
  expect(await client.notifications.count.query({ q: 'Sent ONE' })).toMatchObject({ count: 5, replayable: 5 })
  expect(await list({ endpointId: webhookId, channel: 'webhook' })).toHaveLength(6)
  expect(await list({ channel: 'telegram' })).toEqual([])
  const second = new Date(server.clock.now.getTime() - 4_000)
  expect(await list({ to: second })).toEqual([['u1', 'txn.sent']])
  expect(await list({ from: second, appId })).toHaveLength(6)
  expect(await list({ from: new Date(server.clock.now.getTime() + 100_000) })).toEqual([])

  const first = await client.notifications.list.query({ limit: 4 })
  const rest = await client.notifications.list.query({ limit: 4, cursor: first.nextCursor! })
  expect(new Set([...first.items, ...rest.items].map(({ id }) => id)).size).toBe(6)
  expect(rest.nextCursor).toBeNull()

  const { notification, deliveries } = await client.notifications.get.query({ id: ids[2]! })
  const [attempt] = deliveries[0]!.attempts
  expect(notification).toMatchObject({ status: 'retrying', title: 'Sent ONE' })
  expect(attempt).toMatchObject({ outcome: 'http_4xx', status: 404, request: { url: receiver.url } })
  expect(attempt!.explanation).toContain('nothing at that path')
  expect(attempt!.request!.signedContent).toBe(
    `${ids[2]!}.${attempt!.request!.headers['webhook-timestamp']!}.${deliveries[0]!.payload}`,
  )
  expect(attempt!.timings!['firstByte']).toBeGreaterThan(0)

  // What is shown is what was sent.
  const got = receiver.received.filter(({ headers }) => headers['webhook-id'] === ids[2]!).at(-1)!
  expect(got.headers).toMatchObject(attempt!.request!.headers)

  receiver.answer(204)
  const before = receiver.received.length
  expect(await client.notifications.count.query({ status: 'retrying' })).toEqual({
    count: 2,
    capped: false,
    replayable: 2,
  })
  const many = { filter: { status: 'retrying' as const }, expectedCount: 9 }
  expect(await refusalCode(client.notifications.replayMany.mutate(many))).toBe('conflict')
  expect(await client.notifications.replayMany.mutate({ ...many, expectedCount: 2 })).toEqual({ replayed: 2 })
  expect(await client.notifications.replay.mutate({ id: ids[0]! })).toEqual({ replayed: 1 })
  await server.runtime.outbox.pass()
  expect(
    receiver.received
      .slice(before)
      .map(({ headers }) => headers['webhook-id'])
      .sort(),
  ).toEqual([ids[2]!, ids[4]!, ids[0]!].sort())
  expect(await client.webhooks.replay.mutate({ appId, webhookId, status: 'delivered' })).toEqual({ replayed: 6 })

  // What was owed to an endpoint that is gone is counted, but not as what can be sent again.
  await client.webhooks.delete.mutate({ appId, webhookId })
  expect(await client.notifications.count.query({})).toEqual({ count: 6, capped: false, replayable: 0 })
  const none = { filter: {}, expectedCount: 0 }
  expect(await client.notifications.replayMany.mutate(none)).toEqual({ replayed: 0 })
})

test('the log, event types and mail templates are sorted as asked, page by page', async () => {
  const { server, app, appId, token, key, receiver } = await setUp()
  await newEndpoint(server, app, receiver.url)
  const ids: string[] = []
  for (const type of ['kyc.success', 'kyc.failed', 'kyc.success', 'kyc.success'])
    ids.push((await post(server, app, key, { type, user: 'u', content: {} })).body['id'] as string)
  const all = async (path: string, name: string) => {
    const found: unknown[] = []
    for (let cursor = ''; ;) {
      const { status, body } = await call(server, 'GET', `/api/v1${path}${cursor}`, { token })
      expect(status).toBe(200)
      found.push(...(body['items'] as Record<string, unknown>[]).map((item) => item[name]))
      if (body['nextCursor'] === null) return found
      cursor = `&cursor=${body['nextCursor']}`
    }
  }
  const log = `/notifications?appId=${appId}&limit=1`
  expect(await all(`${log}&sort=createdAt`, 'id')).toEqual(ids)
  expect(await all(`${log}&sort=-createdAt`, 'id')).toEqual(ids.toReversed())
  const good = [ids[0], ids[2], ids[3]]
  expect(await all(`${log}&sort=createdAt&type=kyc.success&status=pending`, 'id')).toEqual(good)
  expect(await all(`${log}&sort=createdAt&channel=webhook&q=KYC`, 'id')).toEqual(ids)

  const keys = [...catalogue.keys()].sort()
  expect(await all(`/event-types?appId=${appId}&limit=7&sort=key`, 'key')).toEqual(keys)
  expect(await all(`/event-types?appId=${appId}&limit=7&sort=-key`, 'key')).toEqual(keys.toReversed())
  const mails = await all(`/apps/${appId}/email-templates?limit=11&sort=-locale`, 'locale')
  expect(mails).toEqual([...mails].sort().reverse())
  for (const path of [`/event-types?sort=name`, `/apps/${appId}/email-templates?sort=size`, '/notifications?sort=user'])
    expect((await call(server, 'GET', `/api/v1${path}`, { token })).status).toBe(400)
})

test('the live tail begins at its first call and brings what came since', async () => {
  const { server, app, client, key } = await setUp()
  await post(server, app, key, sent)
  const { items, cursor } = await client.notifications.tail.query({})
  expect(items).toEqual([])
  await post(server, app, key, { ...sent, user: 'later' })
  await post(server, app, key, { ...sent, user: 'last' })
  const next = await client.notifications.tail.query({ cursor })
  expect(next.items.map(({ user }) => user)).toEqual(['later', 'last'])
  expect((await client.notifications.tail.query({ cursor: next.cursor })).items).toEqual([])
})

test('an operator of another app sees nothing of it, and a viewer changes nothing', async () => {
  const { server, app, appId, receiver, client, key } = await setUp()
  const { id: webhookId } = await client.webhooks.create.mutate({ appId, url: receiver.url })
  const { id } = (await post(server, app, key, sent)).body as { id: string }
  const other = await server.createApp({ name: 'Other' })
  const stranger = consoleClient(server, bearer(await operatorToken(server, 'admin', 'else@example.com', [other.id])))
  const otherId = other.publicId
  const refused = await Promise.all(
    [
      stranger.webhooks.list.query({ appId }),
      stranger.webhooks.get.query({ appId, webhookId }),
      stranger.webhooks.get.query({ appId: otherId, webhookId }),
      stranger.webhooks.test.mutate({ appId: otherId, webhookId }),
      stranger.webhooks.rotateSecret.mutate({ appId: otherId, webhookId }),
      stranger.webhooks.delete.mutate({ appId: otherId, webhookId }),
      stranger.notifications.get.query({ id }),
      stranger.notifications.replay.mutate({ id }),
    ].map(refusalCode),
  )
  expect(new Set(refused)).toEqual(new Set(['not_found']))
  expect((await stranger.notifications.list.query({})).items).toEqual([])
  expect((await stranger.notifications.list.query({ appId, user: sent.user })).items).toEqual([])
  expect((await stranger.notifications.count.query({})).count).toBe(0)
  expect(await stranger.notifications.replayMany.mutate({ filter: {} })).toEqual({ replayed: 0 })

  const viewer = consoleClient(server, bearer(await operatorToken(server, 'viewer')))
  const forbidden = await Promise.all(
    [
      viewer.webhooks.create.mutate({ appId, url: receiver.url }),
      viewer.webhooks.update.mutate({ appId, webhookId, state: 'paused' }),
      viewer.webhooks.rotateSecret.mutate({ appId, webhookId }),
      viewer.webhooks.test.mutate({ appId, webhookId }),
      viewer.webhooks.replay.mutate({ appId, webhookId }),
      viewer.notifications.replay.mutate({ id }),
    ].map(refusalCode),
  )
  expect(new Set(forbidden)).toEqual(new Set(['forbidden']))
})
