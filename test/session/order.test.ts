import { expect, test } from 'vitest'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, person } from '../support/telegram.ts'

type Listed = { id: string; lastActiveAt: string }

/** A server with an app whose users hold one session each, and its list of sessions. */
async function start() {
  const server = await startServer()
  const app = await telegramApp(server)
  const token = await operatorToken(server)
  const list = async (query: string) => {
    const answer = await call(server, 'GET', `/api/v1/sessions?${query}`, { token })
    expect([query, answer.status]).toEqual([query, 200])
    return answer.body as { items: Listed[]; nextCursor: string | null }
  }
  return { server, app, list }
}

test('by last activity sessions stand in the order of their uses, to the millisecond, over all pages and both ways', async () => {
  const { server, app, list } = await start()
  const tokens: string[] = []
  for (let n = 0; n < 8; n++) {
    tokens.push((await signInWithTelegram(server, app, person(n + 1))).body['accessToken'])
    server.clock.pass([0.001, 4, 0, 7][n % 4]!)
  }
  // Used again within the second and a minute later; what is noted is written before the list is asked for.
  for (const n of [5, 0, 3]) {
    await checkSession(server, tokens[n]!)
    server.clock.pass(n === 0 ? 61 : 0.002)
  }
  await server.runtime.activity.flush(true)

  const key = ({ id, lastActiveAt }: Listed) => [Date.parse(lastActiveAt), id] as const
  const { items: created } = await list('sort=createdAt&limit=100')
  const age = new Map(created.map(({ id }, at) => [id, at]))
  const wanted = created.map(key).sort((a, b) => a[0] - b[0] || age.get(a[1])! - age.get(b[1])!)
  expect(wanted.slice(-3).map(([, id]) => age.get(id))).toEqual([5, 0, 3])
  const oldestFirst = wanted.map(([, id]) => id)
  for (const [query, ids] of [
    ['sort=lastActiveAt', oldestFirst],
    ['sort=-lastActiveAt', oldestFirst.toReversed()],
    ['sort=lastActiveAt&status=active', oldestFirst],
    ['sort=-lastActiveAt&status=active', oldestFirst.toReversed()],
    ['sort=-lastActiveAt&status=ended', []],
  ] as const) {
    const seen: string[] = []
    for (let cursor = ''; ;) {
      const page = await list(`${query}&limit=3${cursor}`)
      seen.push(...page.items.map(({ id }) => id))
      if (page.nextCursor === null) break
      cursor = `&cursor=${page.nextCursor}`
    }
    expect(seen).toEqual(ids)
  }
})

test('a use that was only noted when its session ended counts: in the order, and in what a span of time selects', async () => {
  const { server, app, list } = await start()
  const first = await signInWithTelegram(server, app, alice)
  server.clock.pass(5)
  const other = await signInWithTelegram(server, app, person(2))
  server.clock.pass(90)
  const used = server.clock.now.toISOString()
  expect((await checkSession(server, first.body['accessToken'])).status).toBe(200)
  server.clock.pass(5)
  const second = await signInWithTelegram(server, app, alice)
  const id = (login: typeof first) => login.body['session'].id as string
  expect(second.body['evictedSessions']).toEqual([id(first)])

  const { items } = await list('sort=-lastActiveAt')
  expect(items.map((item) => item.id)).toEqual([id(second), id(first), id(other)])
  expect(items[1]!.lastActiveAt).toBe(used)
  expect((await list(`status=ended&activeFrom=${used}&activeTo=${used}`)).items.map((item) => item.id)).toEqual([
    id(first),
  ])
})
