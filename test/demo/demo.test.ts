import { expect, test } from 'vitest'
import { burst, createWorld, live } from '../../server/demo/life.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'

type Item = { method: string; app: { name: string }; user: { label: string }; endReason: string | null; ip: string }

async function listSessions(server: TestServer, token: string): Promise<Item[]> {
  const items: Item[] = []
  let cursor = ''
  do {
    const { body } = await call(server, 'GET', `/api/v1/sessions?limit=100${cursor}`, { token })
    items.push(...(body['items'] as Item[]))
    cursor = body['nextCursor'] ? `&cursor=${body['nextCursor']}` : ''
  } while (cursor)
  return items
}

/** A server as the demo starts it, and everybody who is going to visit. */
async function startDemo() {
  const server = await startServer({ env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' } })
  const token = await operatorToken(server)
  const create = () => createWorld({ url: server.url, operator: bearer(token), now: server.runtime.now })
  return { server, token, create, world: await create() }
}

test('everybody arrives: sessions of every method in every app, ended for every reason that a visitor can bring about', async () => {
  const { server, token, world } = await startDemo()
  await burst(world)
  expect(world.client.tally.unexpected).toEqual([])

  const sessions = await listSessions(server, token)
  const kinds = (of: (item: Item) => string) => [...new Set(sessions.map(of))].sort()
  expect(kinds((item) => item.method)).toEqual(['telegram', 'ton'])
  expect(kinds((item) => item.app.name)).toEqual(['Arena Bot', 'Mini Wallet', 'Ton Quest'])
  expect(kinds((item) => item.endReason ?? 'alive')).toEqual([
    'alive',
    'limit_exceeded',
    'logout',
    'logout_all',
    'refresh_reuse',
    'revoked_by_app',
    'revoked_by_operator',
    'user_blocked',
  ])
  for (const name of ['Ton Quest', 'Mini Wallet', 'Arena Bot']) {
    const evicted = sessions.filter((item) => item.app.name === name && item.endReason === 'limit_exceeded')
    expect(evicted.length, name).toBeGreaterThan(0)
  }
  expect(kinds((item) => item.ip).length).toBeGreaterThan(50)

  const users = await call(server, 'GET', '/api/v1/users?limit=100', { token })
  expect(users.body['items']).toHaveLength(100)
  const blocked = await call(server, 'GET', '/api/v1/users?status=blocked', { token })
  expect(blocked.body['items']).toHaveLength(1)
  const profile = await call(server, 'POST', '/v1/apps/ton-quest/graphql', {
    body: { query: '{ profile(handle: "tonfarer") { name ownedBy } }' },
  })
  expect(profile.body['data'].profile).toMatchObject({ name: 'Ton Farer' })
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
  const users = await call(server, 'GET', '/api/v1/users?limit=200', { token })
  expect(users.body['items']).toHaveLength(100)
})

test('when the server is gone, life stops without a fault', async () => {
  const { server, world } = await startDemo()
  await server.stop()
  let turns = 0
  await live(world, () => ++turns > 3, 0)
  expect(world.client.tally.unexpected.length).toBeGreaterThan(0)
})
