import { Webhook } from 'standardwebhooks'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { applyApps } from '../../server/declare/apply.ts'
import { exportApps } from '../../server/declare/export.ts'
import { builtin } from '../../server/email/builtin.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, post } from '../support/events.ts'
import { operatorToken } from '../support/operator.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { findByKey } from '../../server/app/app.ts'

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const newer = `whsec_${Buffer.alloc(32, 2).toString('base64')}`
const updated = builtin('signature_updated', 'en')

const fileFor = (url: string) => `
apps:
  - slug: shop
    name: Shop
    eventTypes:
      - key: order.shipped
        schema: { type: object, properties: { number: { type: string } }, required: [number] }
        sample: { number: AB12 }
        templates: { en: { title: 'Order {number}', body: On the way } }
      - key: kyc.success
        templates: { en: { title: KYC, body: You are through } }
    webhooks:
      - url: ${url}
        types: [order.*, kyc.success]
        secret: { env: HOOK_SECRET }
        headers: { X-Key: { env: HOOK_KEY } }
      - url: ${url}
        payloadFormat: logout_token
        state: paused
    emailTemplates:
      signature_updated:
        en: ${JSON.stringify({ ...updated, subject: 'Your signature was changed' })}
`

const env = { HOOK_SECRET: secret, HOOK_KEY: 'k3y-of-the-hook' }
const apply = (server: TestServer, file: unknown, options = {}) =>
  applyApps(server.runtime, cliActor, typeof file === 'string' ? (parse(file) as unknown) : file, { env, ...options })

/** Everything that a file can change, as the database holds it. */
const all = async (server: TestServer) => {
  const token = await operatorToken(server, 'owner', `${Math.random()}@example.com`)
  const get = async (path: string) => (await call(server, 'GET', `/api/v1${path}`, { token })).body['items'] as any[]
  const found = []
  for (const { id, name } of await get('/apps')) {
    const [hooks, types, mails] = [
      await get(`/apps/${id}/webhooks`),
      await get(`/event-types?appId=${id}`),
      await get(`/apps/${id}/email-templates`),
    ]
    found.push({ name, hooks, types: types.filter(({ origin, changed }) => origin === 'own' || changed), mails })
  }
  return found
}

test('a file makes endpoints, event types and mail templates, and applied again changes nothing', async () => {
  const server = await startServer({ env: local, now: new Date() })
  const receiver = await startReceiver()
  const file = fileFor(receiver.url)
  expect(await apply(server, file)).toEqual([{ slug: 'shop', result: 'created', changed: [] }])
  expect(await apply(server, file)).toEqual([{ slug: 'shop', result: 'unchanged', changed: [] }])
  const [shop] = await all(server)
  expect(shop!.hooks.map(({ payloadFormat, types, state }: any) => [payloadFormat, types, state])).toEqual([
    ['standard', ['order.*', 'kyc.success'], 'active'],
    ['logout_token', ['session.ended'], 'paused'],
  ])
  expect(shop!.types.map(({ key }: any) => key as string).sort()).toEqual(['kyc.success', 'order.shipped'])
  expect(shop!.mails.filter(({ source }: any) => source === 'own')).toMatchObject([
    { kind: 'signature_updated', locale: 'en', published: 1 },
  ])

  const app = (await findByKey(server.runtime, 'shop'))!
  const key = await newApiKey(server, app)
  await post(server, app, key, { type: 'order.shipped', user: 'u', content: { number: 'X1' } })
  await post(server, app, key, { type: 'kyc.success', user: 'u', content: {} })
  await server.runtime.outbox.pass()
  expect(receiver.received.map(({ json }) => json.title).sort()).toEqual(['KYC', 'Order X1'])
  for (const { body, headers } of receiver.received) {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    expect(headers['x-key']).toBe(env.HOOK_KEY)
  }
})

test('what a file changes is named, and a new secret lets the old one sign along', async () => {
  const server = await startServer({ env: local, now: new Date() })
  const receiver = await startReceiver()
  await apply(server, fileFor(receiver.url))
  const changed = (fileFor(receiver.url) as string)
    .replace('title: KYC', 'title: Checked')
    .replace('types: [order.*, kyc.success]', "types: ['*']\n        ratePerSecond: 20")
    .replace('state: paused', 'state: active')
    .replace('changed', 'renewed')
  const names = [
    'eventTypes.kyc.success.templates',
    ...['webhooks[0].types', 'webhooks[0].ratePerSecond', 'webhooks[0].secret', 'webhooks[1].state'],
    'emailTemplates.signature_updated.en',
  ]
  const options = { env: { ...env, HOOK_SECRET: newer } }
  const before = await all(server)
  const expected = [{ slug: 'shop', result: 'updated', changed: expect.arrayContaining(names) }]
  const rehearsed = await apply(server, changed, { ...options, dryRun: true })
  expect(rehearsed).toEqual(expected)
  expect(rehearsed[0]!.changed).toHaveLength(names.length)
  expect(await all(server)).toEqual(before)
  expect(await apply(server, changed, options)).toEqual(rehearsed)
  expect((await apply(server, changed, options))[0]!.result).toBe('unchanged')

  const app = (await findByKey(server.runtime, 'shop'))!
  await post(server, app, await newApiKey(server, app), { type: 'kyc.success', user: 'u', content: {} })
  await server.runtime.outbox.pass()
  const { body, headers, json } = receiver.received[0]!
  expect(json.title).toBe('Checked')
  for (const one of [secret, newer]) new Webhook(one).verify(body, headers as Record<string, string>)
})

test('a fault anywhere keeps all of the file out, and every fault is named', async () => {
  const server = await startServer({ env: local })
  await apply(server, fileFor('https://example.com/hook'))
  const before = await all(server)
  const fault = await apply(server, {
    apps: [
      { slug: 'first', name: 'First', webhooks: [{ url: 'https://example.com/first' }] },
      {
        ...{ slug: 'shop', name: 'Renamed', sso: { method: 'GET', tokenIn: 'form:token' } },
        webhooks: [{ url: 'http://10.0.0.1/' }],
      },
      {
        ...{ slug: 'second', name: 'Second' },
        eventTypes: [
          { key: 'a.b', schema: { type: 'objekt' }, sample: {}, templates: { en: { title: 'T', body: 'B' } } },
          { key: 'a.c' },
          { key: 'user.logout', op: 'x' },
        ],
        webhooks: [{ url: 'http://10.0.0.1/' }, { url: 'https://example.com/', types: ['a.nothing'] }],
        emailTemplates: { signature_updated: { en: { ...updated, html: '{{ nobody.knows }}' } } },
      },
    ],
  }).catch((error: unknown) => error)
  expect(fault).toMatchObject({ code: 'invalid_request', message: 'The file is not valid, and nothing was changed' })
  const paths = (fault as { errors: { path: string }[] }).errors.map(({ path }) => path)
  for (const path of [
    'apps[1].sso.method',
    ...['schema'].map((name) => `apps[2].eventTypes[0].${name}`),
    ...['schema', 'sample', 'templates'].map((name) => `apps[2].eventTypes[1].${name}`),
    ...['apps[2].eventTypes[2].op', 'apps[2].webhooks[0].url', 'apps[2].webhooks[1].types.0'],
  ])
    expect(paths).toContain(path)
  expect(paths.some((path) => path.startsWith('apps[2].emailTemplates.signature_updated.en'))).toBe(true)
  expect(await all(server)).toEqual(before)
})

test('what is not in the file stays, and nothing is removed', async () => {
  const server = await startServer({ env: local })
  await apply(server, fileFor('https://example.com/hook'))
  const before = await all(server)
  const small = { apps: [{ slug: 'shop', name: 'Shop', webhooks: [], eventTypes: [], emailTemplates: {} }] }
  expect(await apply(server, small)).toEqual([{ slug: 'shop', result: 'unchanged', changed: [] }])
  const more = { apps: [{ slug: 'shop', name: 'Shop', webhooks: [{ url: 'https://example.com/more' }] }] }
  expect(await apply(server, more)).toEqual([{ slug: 'shop', result: 'updated', changed: ['webhooks[0]'] }])
  const [shop] = await all(server)
  expect(shop!.hooks).toHaveLength(before[0]!.hooks.length + 1)
})

test('what export writes changes nothing where it came from, and makes the same elsewhere, secrets left out', async () => {
  const server = await startServer({ env: local })
  const elsewhere = await startServer({ env: local })
  await apply(server, fileFor('https://example.com/hook'))
  const { apps, secrets } = await exportApps(server.runtime)
  const text = JSON.stringify(apps)
  for (const hidden of [secret, env.HOOK_KEY]) expect(text).not.toContain(hidden)
  expect(secrets).toEqual(
    ['webhooks[0].secret', 'webhooks[0].headers.X-Key', 'webhooks[1].secret'].map((path) => ({ slug: 'shop', path })),
  )
  expect(await apply(server, { apps })).toEqual([{ slug: 'shop', result: 'unchanged', changed: [] }])
  await apply(elsewhere, { apps })
  expect((await exportApps(elsewhere.runtime)).apps).toEqual(apps)
})

test('sessions beyond a limit that a file lowers end, once it is applied and not by a rehearsal', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 2 } })
  const tokens: string[] = []
  for (let times = 0; times < 2; times++) {
    server.clock.pass(1)
    tokens.push((await signInWithTelegram(server, app)).body['accessToken'] as string)
  }
  const statuses = () => Promise.all(tokens.map(async (token) => (await checkSession(server, token)).status))
  const file = { apps: [{ slug: app.slug, name: app.name, sessionPolicy: { maxConcurrentSessions: 1 } }] }
  await apply(server, file, { dryRun: true })
  expect(await statuses()).toEqual([200, 200])
  await apply(server, file)
  expect(await statuses()).toEqual([401, 200])
})
