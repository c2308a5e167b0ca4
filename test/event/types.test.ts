import { expect, test } from 'vitest'
import { newApiKey } from '../support/apiKey.ts'
import { local, newEndpoint, post } from '../support/events.ts'
import { bearer, consoleClient, operatorToken, refusalCode } from '../support/operator.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer } from '../support/server.ts'

const shipped = {
  key: 'order.shipped',
  schema: {
    type: 'object',
    properties: { number: { type: 'string', pattern: '^[A-Z]{2}\\d+$' }, parcels: { type: 'integer' } },
    required: ['number', 'parcels'],
    additionalProperties: false,
  },
  sample: { number: 'AB12', parcels: 2 },
  templates: {
    en: { title: 'Order {number}', body: '{parcels, plural, one {One parcel is} other {# parcels are}} on the way' },
    ru: {
      title: 'Заказ {number}',
      body: '{parcels, plural, one {# посылка} few {# посылки} many {# посылок} other {# посылки}} в пути',
    },
  },
}

async function setUp() {
  const server = await startServer({ env: local })
  const app = await server.createApp()
  const token = await operatorToken(server, 'admin')
  const client = consoleClient(server, bearer(token))
  const key = await newApiKey(server, app)
  return { server, app, token, client, key, appId: app.publicId }
}

test("an app's own type is checked, worded in the asked language, and delivered", async () => {
  const { server, app, client, key, appId } = await setUp()
  await client.eventTypes.create.mutate({ appId, ...shipped })
  const receiver = await startReceiver()
  await newEndpoint(server, app, receiver.url, { types: ['order.*'] })
  const event = (content: object, locale?: string) => ({ type: 'order.shipped', user: 'u', content, locale })
  expect((await post(server, app, key, event({ number: 'ab', parcels: 1.5, x: 1 }))).body['errors']).toEqual([
    { path: 'content.x', message: 'is not a member of this type' },
    expect.objectContaining({ path: 'content.number' }),
    expect.objectContaining({ path: 'content.parcels' }),
  ])
  await post(server, app, key, event({ number: 'AB1', parcels: 1 }))
  await post(server, app, key, event({ number: 'AB2', parcels: 3 }, 'ru-RU'))
  await post(server, app, key, event({ number: 'AB3', parcels: 5 }, 'xx'))
  await server.runtime.outbox.pass()
  expect(receiver.received.map(({ json }) => [json.title, json.body])).toEqual([
    ['Order AB1', 'One parcel is on the way'],
    ['Заказ AB2', '3 посылки в пути'],
    ['Order AB3', '5 parcels are on the way'],
  ])
})

test.each([
  ['a schema that is none', { schema: { type: 'objekt' } }, 'schema'],
  ['a reference to elsewhere', { schema: { $ref: 'https://example.com/schema.json' } }, 'schema'],
  [
    'a pattern that backtracks',
    { schema: { ...shipped.schema, properties: { number: { pattern: '(?=a)b' } } } },
    'schema',
  ],
  ['a sample that does not fit', { sample: { number: 'AB12' } }, 'sample.parcels'],
  ['no English', { templates: { ru: shipped.templates.ru } }, 'templates.en'],
  ['broken MessageFormat', { templates: { en: { title: '{number', body: 'x' } } }, 'templates.en.title'],
  ['a name the schema lacks', { templates: { en: { title: '{nummer}', body: 'x' } } }, 'templates.en.title'],
  ['an amount as number', { templates: { en: { title: '{parcels, number}', body: 'x' } } }, 'templates.en.title'],
  ['a key in capitals', { key: 'Order.Shipped' }, 'key'],
])('%s is refused', async (_name, change, path) => {
  const { server, token, appId } = await setUp()
  const answer = await call(server, 'POST', `/api/v1/apps/${appId}/event-types`, {
    token,
    body: { ...shipped, ...change },
  })
  expect(answer.status).toBe(400)
  expect(answer.body['errors'].map((fault: { path: string }) => fault.path)).toContain(path)
  const { body } = await call(server, 'GET', `/api/v1/event-types?appId=${appId}`, { token })
  expect(body['items']).toHaveLength(24)
})

test('a pattern that would take for ever is answered at once', async () => {
  const { server, app, client, key, appId } = await setUp()
  const schema = { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } }, required: ['text'] }
  const templates = { en: { title: 'T', body: '{text}' } }
  await client.eventTypes.create.mutate({ appId, key: 'slow.type', schema, sample: { text: 'aa' }, templates })
  const began = performance.now()
  const answer = await post(server, app, key, {
    type: 'slow.type',
    user: 'u',
    content: { text: `${'a'.repeat(5_000)}b` },
  })
  expect(answer.status).toBe(400)
  expect(performance.now() - began).toBeLessThan(5_000)
})

/** A schema in which each level names the next one twice. */
const doubling = {
  type: 'object',
  properties: { a: { $ref: '#/$defs/d0' } },
  $defs: Object.fromEntries(
    Array.from({ length: 30 }, (_, level) => [
      `d${level}`,
      level === 29
        ? { type: 'string' }
        : { anyOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] },
    ]),
  ),
}

test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
  ['whose references double with each level', doubling, { a: 1 }],
  [
    'that a thousand names are missing from each item of',
    {
      type: 'object',
      properties: { a: { items: { required: Array.from({ length: 1500 }, (_, name) => `n${name}`) } } },
    },
    { a: Array.from({ length: 15_000 }, () => ({})) },
  ],
  [
    'that compares all items with all',
    { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } },
    { a: Array.from({ length: 12_000 }, (_, at) => [at]) },
  ],
])('a schema %s stops nobody but those who send what it cannot cope with', async (_name, schema, content) => {
  const { server, app, client, key, appId } = await setUp()
  const templates = { en: { title: 'T', body: 'B' } }
  await client.eventTypes.create.mutate({ appId, key: 'bomb.type', schema, sample: {}, templates })
  const event = { type: 'bomb.type', user: 'u', content }
  const began = performance.now()
  const answers = [await post(server, app, key, event), await post(server, app, key, [event, event])]
  expect(answers.map(({ status, body }) => [status, body['errors'][0]])).toEqual([
    [400, { path: 'content', message: expect.stringContaining('does not come to an end') }],
    [400, { path: '0.content', message: expect.stringContaining('does not come to an end') }],
  ])
  expect(performance.now() - began).toBeLessThan(10_000)
  expect((await call(server, 'GET', '/healthz')).status).toBe(200)
})

test.each<[string, Record<string, unknown>, string]>([
  ['refers to itself', { $ref: '#' }, 'sample'],
  [
    'goes round between two',
    { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
    'schema',
  ],
  // What it answers is a promise, which would be taken for a yes.
  ['is asynchronous', { $async: true, type: 'object', required: ['a'] }, 'schema'],
  // Read without the flag u it would mean the letters “p{L}”.
  ['names kinds of letters', { type: 'object', properties: { a: { type: 'string', pattern: '^\\p{L}+$' } } }, 'schema'],
])('a schema that %s is refused in words', async (_name, schema, path) => {
  const { server, token, appId } = await setUp()
  const templates = { en: { title: 'T', body: 'B' } }
  const answer = await call(server, 'POST', `/api/v1/apps/${appId}/event-types`, {
    token,
    body: { key: 'odd.type', schema, sample: {}, templates },
  })
  expect([answer.status, answer.body['errors'][0].path]).toEqual([400, path])
  expect(answer.body['errors'][0].message).not.toMatch(/call stack/)
})

test.each([501, 20_000])('what is nested %i levels deep is refused by the console, too', async (depth) => {
  const { server, app, token, appId } = await setUp()
  const { row } = await newEndpoint(server, app, 'https://example.com/')
  const endpoint = server.runtime.vault.ids.seal('whe', row.id)
  const deep = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const type = (schema: string, sample: string) =>
    `{"key":"deep.type","schema":${schema},"sample":${sample},"templates":{"en":{"title":"T","body":"B"}}}`
  for (const [path, body, fault] of [
    ['event-types', type(deep, '{}'), 'schema'],
    ['event-types', type('{}', deep), 'sample'],
    ['event-types/kyc.success/preview', `{"content":${deep}}`, 'content'],
    [`webhooks/${endpoint}/test`, `{"type":"kyc.success","content":${deep}}`, 'content'],
  ] as const) {
    const answer = await call(server, 'POST', `/api/v1/apps/${appId}/${path}`, { token, body })
    expect([answer.status, answer.body['errors']?.[0].path], path).toEqual([400, fault])
  }
})

test('a schema that describes itself in its members is followed as deep as the content goes', async () => {
  const { server, app, client, key, appId } = await setUp()
  const schema = {
    type: 'object',
    properties: { child: { $ref: '#' }, n: { type: 'integer' } },
    additionalProperties: false,
  }
  const templates = { en: { title: 'T', body: 'B' } }
  await client.eventTypes.create.mutate({ appId, key: 'tree.type', schema, sample: { n: 1 }, templates })
  const tree = (leaf: object, depth: number): object => (depth === 0 ? leaf : { child: tree(leaf, depth - 1) })
  const event = (leaf: object) => ({ type: 'tree.type', user: 'u', content: tree(leaf, 100) })
  expect((await post(server, app, key, event({ n: 1 }))).status).toBe(202)
  const refused = await post(server, app, key, event({ n: 'x' }))
  expect(refused.body['errors']).toEqual([{ path: `content${'.child'.repeat(100)}.n`, message: 'must be integer' }])
})

test('of a built-in type an app changes the texts and nothing else, and goes back to them', async () => {
  const { server, app, client, key, appId } = await setUp()
  const other = await server.createApp({ name: 'Other' })
  const receiver = await startReceiver()
  await newEndpoint(server, app, receiver.url)
  await newEndpoint(server, other, receiver.url)
  const templates = { en: { title: 'KYC', body: 'You are through' }, de: { title: 'KYC', body: 'Geschafft' } }
  const type = await client.eventTypes.update.mutate({ appId, key: 'kyc.success', templates })
  expect(type).toMatchObject({ changed: true, origin: 'builtin' })
  expect(await refusalCode(client.eventTypes.update.mutate({ appId, key: 'kyc.success', unit: 's' }))).toBe(
    'invalid_request',
  )
  const event = { type: 'kyc.success', user: 'u', content: {} }
  await post(server, app, key, { ...event, locale: 'de-AT' })
  await post(server, other, await newApiKey(server, other), { ...event, locale: 'de-AT' })
  await client.eventTypes.delete.mutate({ appId, key: 'kyc.success' })
  await post(server, app, key, event)
  await server.runtime.outbox.pass()
  expect(receiver.received.map(({ json }) => json.body).sort()).toEqual([
    'Geschafft',
    'Ihre Identitätsprüfung (KYC) war erfolgreich',
    'Your KYC success',
  ])
})

test('a preview shows every channel, records nothing and sends nothing', async () => {
  const { server, client, appId } = await setUp()
  const preview = await client.eventTypes.preview.mutate({
    appId,
    key: 'txn.sent',
    templates: { en: { title: '<b>{symbol}</b> & more', body: '{amount}' } },
  })
  expect(preview).toMatchObject({
    title: '<b>ONE</b> & more',
    telegram: '<b>&lt;b&gt;ONE&lt;/b&gt; &amp; more</b>\n0.45976983',
    inbox: { group: 'transactions' },
    email: { subject: '<b>ONE</b> & more' },
  })
  expect(JSON.parse(preview.webhook.standard)).toMatchObject({ user: '987654321', data: { op: 'txn.sent' } })
  expect(Object.keys(JSON.parse(preview.webhook.extended) as object).slice(0, 3)).toEqual(['id', 'type', 'timestamp'])
  const { events } = await import('../../server/db/schema.ts')
  expect(await server.runtime.db.$count(events)).toBe(0)
})

test('roles and apps hold for types: a viewer looks, an operator of another app does not', async () => {
  const { server, app, appId } = await setUp()
  const other = await server.createApp({ name: 'Other' })
  const viewer = consoleClient(server, bearer(await operatorToken(server, 'viewer')))
  const stranger = consoleClient(server, bearer(await operatorToken(server, 'admin', 'else@example.com', [other.id])))
  expect((await viewer.eventTypes.list.query({ appId })).items).toHaveLength(24)
  expect(await refusalCode(viewer.eventTypes.create.mutate({ appId, ...shipped }))).toBe('forbidden')
  expect(await refusalCode(stranger.eventTypes.list.query({ appId }))).toBe('not_found')
  expect(await refusalCode(stranger.eventTypes.create.mutate({ appId, ...shipped }))).toBe('not_found')
  expect(app.version).toBe(1)
})

test('a type that is not saved yet is previewed as it would be', async () => {
  const { client, appId } = await setUp()
  const { key, schema, sample, templates } = shipped
  const asked = { appId, key, content: sample, templates, locale: 'ru', draft: { schema, group: 'trading' as const } }
  const shown = await client.eventTypes.preview.mutate(asked)
  expect(shown).toMatchObject({ locale: 'ru', title: 'Заказ AB12', inbox: { type: key, group: 'trading' } })
  expect(JSON.parse(shown.webhook.standard)).toMatchObject({ data: { op: key, content: sample } })
  expect((await client.eventTypes.list.query({ appId })).items.map((type) => type.key)).not.toContain(key)

  // Of a saved one, the draft is laid over it; of a built-in one, nothing is.
  await client.eventTypes.create.mutate({ appId, ...shipped })
  const wider = { ...schema, properties: { ...schema.properties, city: { type: 'string' } } }
  const texts = { en: { title: 'To {city}', body: '.' } }
  const changed = {
    appId,
    key,
    content: { ...sample, city: 'Bern' },
    templates: texts,
    draft: { schema: wider, op: 'o' },
  }
  expect(await client.eventTypes.preview.mutate(changed)).toMatchObject({ title: 'To Bern' })
  expect(await refusalCode(client.eventTypes.preview.mutate({ ...changed, draft: {} }))).toBe('invalid_request')
  const builtin = await client.eventTypes.preview.mutate({ appId, key: 'txn.sent', draft: { op: 'mine' } })
  expect(JSON.parse(builtin.webhook.standard)).toMatchObject({ data: { op: 'txn.sent' } })

  expect(await refusalCode(client.eventTypes.preview.mutate({ ...asked, draft: {}, key: 'no.such' }))).toBe('not_found')
  const silent = { appId, key: 'no.such', content: sample, draft: { schema } }
  expect(await refusalCode(client.eventTypes.preview.mutate(silent))).toBe('invalid_request')
})
