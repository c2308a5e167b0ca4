import { expect, onTestFinished, test } from 'vitest'
import { businessTypes } from '../../server/event/businessTypes.ts'
import { COUNTRY_HEADER } from '../../server/demo/devices.ts'
import { burst, createWorld, live } from '../../server/demo/life.ts'
import { kinds } from '../../server/email/kinds.ts'
import { local } from '../support/events.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'

type Item = {
  method: string
  app: { name: string }
  user: { label: string }
  endReason: string | null
  ip: string
  deviceKind: string
  country: string | null
}

async function listAll<T>(server: TestServer, token: string, path: string): Promise<T[]> {
  const items: T[] = []
  let cursor = ''
  do {
    const { body } = await call(server, 'GET', `${path}?limit=100${cursor}`, { token })
    items.push(...(body['items'] as T[]))
    cursor = body['nextCursor'] ? `&cursor=${body['nextCursor']}` : ''
  } while (cursor)
  return items
}

/** A server as the demo starts it, and everybody who is going to visit. */
async function startDemo() {
  const server = await startServer({
    env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_COUNTRY_HEADER: COUNTRY_HEADER, ...local },
  })
  // Mails are written while people wait for them; webhooks go out when a test says so.
  server.runtime.mailer.start()
  const token = await operatorToken(server)
  const create = async () => {
    const world = await createWorld({ url: server.url, operator: bearer(token), now: server.runtime.now })
    onTestFinished(world.receiver.close)
    return world
  }
  return { server, token, create, world: await create() }
}

test('everybody arrives: sessions of every method in every app, ended for every reason that a visitor can bring about', async () => {
  const { server, token, world } = await startDemo()
  await burst(world)
  expect(world.client.tally.unexpected).toEqual([])

  const sessions = await listAll<Item>(server, token, '/api/v1/sessions')
  const kinds = (of: (item: Item) => string) => [...new Set(sessions.map(of))].sort()
  expect(kinds((item) => item.method)).toEqual(['telegram', 'ton'])
  expect(kinds((item) => item.app.name)).toEqual(['Arena Bot', 'Mini Wallet', 'Ton Quest'])
  expect(kinds((item) => item.endReason ?? 'alive')).toEqual([
    'account_linked',
    'alive',
    'limit_exceeded',
    'logout',
    'logout_all',
    'refresh_reuse',
    'revoked_by_app',
    'revoked_by_operator',
    'signature_reset_failed',
    'user_blocked',
  ])
  for (const name of ['Ton Quest', 'Mini Wallet', 'Arena Bot']) {
    const evicted = sessions.filter((item) => item.app.name === name && item.endReason === 'limit_exceeded')
    expect(evicted.length, name).toBeGreaterThan(0)
  }
  expect(kinds((item) => item.ip).length).toBeGreaterThan(50)
  expect(kinds((item) => item.deviceKind)).toEqual(
    expect.arrayContaining(['linux', 'telegram_android', 'telegram_ios']),
  )
  expect(kinds((item) => item.country ?? 'unknown').length).toBeGreaterThan(15)

  expect(await listAll(server, token, '/api/v1/users')).toHaveLength(101)
  const blocked = await call(server, 'GET', '/api/v1/users?status=blocked', { token })
  expect(blocked.body['items']).toHaveLength(1)
  const profile = await call(server, 'POST', '/v1/apps/ton-quest/graphql', {
    body: { query: '{ profile(handle: "tonfarer") { name ownedBy } }' },
  })
  expect(profile.body['data'].profile).toMatchObject({ name: 'Ton Farer' })
})

type Notice = { type: string; status: string; source: string; app: { name: string } }
type Mail = { kind: string; locale: string; status: string }
type Endpoint = { description: string; state: string; health: { status: string; held: number; dead: number } }

test('apps are told of everything, some in vain, and people get mail of every kind', async () => {
  const { server, token, world } = await startDemo()
  await burst(world)
  await server.runtime.outbox.pass()
  expect(world.client.tally.unexpected).toEqual([])
  expect(world.receiver.tally.unsigned).toEqual([])
  expect(world.receiver.tally.taken).toBeGreaterThan(100)
  expect(world.receiver.tally.failed).toBeGreaterThan(20)

  const log = await listAll<Notice>(server, token, '/api/v1/notifications')
  expect([...new Set(log.map(({ status }) => status))].sort()).toEqual(['dead', 'delivered', 'held', 'retrying'])
  const told = log.filter(({ source }) => source === 'api')
  for (const { name } of [{ name: 'Ton Quest' }, { name: 'Mini Wallet' }, { name: 'Arena Bot' }]) {
    const types = new Set(told.filter(({ app }) => app.name === name).map(({ type }) => type))
    const own = name === 'Arena Bot' ? ['match.won'] : []
    expect([...types].sort(), name).toEqual([...businessTypes.map(({ key }) => key), ...own].sort())
  }
  const health = async (app: (typeof world.apps)[number]) => {
    const endpoints = await listAll<Endpoint>(server, token, `/api/v1/apps/${app.id}/webhooks`)
    return Object.fromEntries(endpoints.map((one) => [one.description, one]))
  }
  const [quest, wallet, arena] = await Promise.all(world.apps.map(health))
  expect(quest!['Backend']).toMatchObject({ state: 'active', health: { status: 'healthy', dead: 0 } })
  expect(wallet!['Data warehouse']).toMatchObject({ state: 'active', health: { dead: 1 } })
  expect(arena!['Former provider']).toMatchObject({ state: 'disabled' })
  expect(arena!['Former provider']!.health.held).toBeGreaterThan(20)
  const unsigned = await fetch(world.receiver.urlOf('ton-quest', 'steady'), { method: 'POST', body: '{}' })
  expect(unsigned.status).toBe(401)

  // Everybody is written to in their language, and an endpoint that is gone is told to its operators.
  await server.runtime.mailer.pass()
  const mails = await listAll<Mail>(server, token, '/api/v1/emails')
  expect(new Set(mails.map(({ status }) => status))).toEqual(new Set(['kept']))
  expect([...new Set(mails.map(({ kind }) => kind))].sort()).toEqual([...kinds, 'endpoint_disabled'].sort())
  expect(new Set(mails.map(({ locale }) => locale)).size).toBeGreaterThan(5)
})

test('life goes on: hundreds of acts, and each is answered as it should be', async () => {
  const { server, world } = await startDemo()
  await burst(world)
  const before = world.client.tally.calls
  await live(
    world,
    () => {
      // Some half an hour goes by, and access tokens with it.
      server.clock.pass(6)
      return world.client.tally.calls > before + 300
    },
    0,
  )
  expect(world.client.tally.unexpected).toEqual([])
})

test('a second start finds the apps and people of the first', async () => {
  const { server, token, world, create } = await startDemo()
  await burst(world)
  const again = await create()
  await burst(again)
  expect(again.client.tally.unexpected).toEqual([])
  expect(again.apps.map((app) => app.id)).toEqual(world.apps.map((app) => app.id))
  const apps = await call(server, 'GET', '/api/v1/apps', { token })
  expect(apps.body['items']).toHaveLength(3)
  expect(await listAll(server, token, '/api/v1/users')).toHaveLength(101)

  // What the first start made was moved to the receiver of the second, which alone is told now.
  const endpoints = await Promise.all(
    world.apps.map(({ id }) => listAll<Endpoint>(server, token, `/api/v1/apps/${id}/webhooks`)),
  )
  expect(endpoints.map((some) => some.length)).toEqual([1, 2, 2])
  const { taken } = world.receiver.tally
  await server.runtime.outbox.pass()
  expect(world.receiver.tally.taken).toBe(taken)
  expect(again.receiver.tally.taken).toBeGreaterThan(100)
  expect(again.receiver.tally.unsigned).toEqual([])
})

test('when the server is gone, life stops without a fault', async () => {
  const { server, world } = await startDemo()
  await server.stop()
  let turns = 0
  await live(world, () => ++turns > 30, 0)
  expect(world.client.tally.unexpected.length).toBeGreaterThan(0)
})
