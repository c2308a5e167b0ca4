import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { operatorToken } from '../support/operator.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { initData, person } from '../support/telegram.ts'

/** Every list of the management API, as its own description names them: what answers items and takes a limit. */
async function listsOf(
  server: TestServer,
  appId: string,
): Promise<{ path: string; sorts: string[]; moments: string[] }[]> {
  const { paths } = (await call(server, 'GET', '/api/openapi.json')).body
  return Object.entries<any>(paths).flatMap(([path, { get }]) => {
    const parameters = (get?.parameters ?? []) as { name: string; schema: { enum?: string[]; const?: string } }[]
    if (!parameters.some(({ name }) => name === 'limit')) return []
    const sort = parameters.find(({ name }) => name === 'sort')?.schema
    const moments = parameters.flatMap(({ name }) => (/^(\w+F|f)rom$|^(\w+T|t)o$/.test(name) ? [name] : []))
    return { path: path.replace('{appId}', appId), sorts: sort?.enum ?? (sort?.const ? [sort.const] : []), moments }
  })
}

let server: TestServer
let lists: Awaited<ReturnType<typeof listsOf>>
let get: (path: string) => Promise<Answer>

beforeAll(async () => {
  server = await startServer({ keep: true })
  const token = await operatorToken(server)
  const app = await telegramApp(server)
  get = (path) => call(server, 'GET', `/api/v1${path}`, { token })
  for (const n of [1, 2, 3]) {
    await telegramApp(server, { name: `App ${n}`, slug: `app-${n}` })
    await signInWithTelegram(server, app, person(n))
    await call(server, 'POST', '/api/v1/operator-tokens', { token, body: { name: `token ${n}` } })
    await call(server, 'POST', `/api/v1/apps/${app.publicId}/api-keys`, { token, body: { name: `key ${n}` } })
    const block = { kind: 'address', value: `203.0.113.${n}`, reason: 'a test' }
    await call(server, 'POST', '/api/v1/blocks', { token, body: block })
    server.clock.pass(60)
  }
  lists = await listsOf(server, app.publicId)
})
afterAll(() => server.stop())

test('every list pages from one end to the other in each of its orders', async () => {
  expect(lists.map(({ path }) => path).sort()).toEqual(
    expect.arrayContaining(['/apps', '/audit', '/blocks', '/emails', '/operators', '/sessions', '/users', '/traffic']),
  )
  for (const { path, sorts } of lists) {
    const found = new Map<string, unknown[]>()
    for (const sort of sorts.length > 0 ? sorts : ['']) {
      const [items, seen]: [unknown[], string[]] = [[], []]
      let cursor: string | null = ''
      while (cursor !== null) {
        const order = sort && `&sort=${sort}`
        const page = await get(`${path}?limit=2${order}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
        expect([path, page.status]).toEqual([path, 200])
        expect(page.body['items'].length).toBeLessThanOrEqual(2)
        items.push(...page.body['items'])
        cursor = page.body['nextCursor'] as string | null
        expect(seen).not.toContain(cursor)
        if (cursor) seen.push(cursor)
        if (items.length > 10) break
      }
      found.set(sort, items)
    }
    const [up, down] = [found.get('createdAt'), found.get('-createdAt')]
    // A list of what happens meanwhile, such as the tokens used, may differ in such members; its ids may not.
    const ids = (items: any[]) => items.map((item) => item.id ?? item.kid)
    if (up && down && up.length <= 10) expect([path, ids(up)]).toEqual([path, ids(down).reverse()])
  }
})

test('a page that is none, an order that is none and a filter that is none are refused by name', async () => {
  for (const { path } of lists) {
    const forged = ['abc', '"', '[]', '[1e99]', '["1 or 1=1"]', '{"id":1}', '[null]', '[1,2,3,4]', '[[1]]', '[1.5]']
    const wrong = [
      ...forged.map((cursor) => `cursor=${Buffer.from(cursor).toString('base64url')}`),
      ...['limit=0', 'limit=-1', 'limit=201', 'limit=x', 'limit=1.5', 'sort=nonsense', 'statsu=active'],
    ]
    const answers = await Promise.all(wrong.map((query) => get(`${path}?${query}`)))
    for (const [at, answer] of answers.entries()) {
      expect([path, wrong[at], answer.status, answer.body['code']]).toEqual([path, wrong[at], 400, 'invalid_request'])
      expect(answer.body['errors'].map((fault: { path: string }) => fault.path)).toEqual([wrong[at]!.split('=')[0]])
    }
  }
})

test('a forged page of any size is another page or refused, and no error of ours', async () => {
  const most = Number.MAX_SAFE_INTEGER
  const forged = [
    [most],
    [-most],
    [0],
    [most, most, most],
    [1, most, 1],
    [1, -most, 1],
    [1, 1, most],
    [1, 8.64e15 + 1, 1],
  ]
  const texts = [
    ['9999999-01-01', 1],
    ['\0', 1],
    ['x'.repeat(300)],
    ['9007199254740993'],
    ['99999999999999999999', '1'],
  ]
  for (const { path, sorts } of lists) {
    for (const sort of sorts.length > 0 ? sorts : ['']) {
      for (const values of [...forged, ...texts]) {
        const cursor = Buffer.from(JSON.stringify(values)).toString('base64url')
        const { status } = await get(`${path}?cursor=${cursor}${sort && `&sort=${sort}`}`)
        expect([200, 400], `${path} ${sort} ${JSON.stringify(values)}`).toContain(status)
      }
    }
  }
})

test('a parameter without a value counts as left out', async () => {
  for (const { path } of lists) {
    const answer = await get(`${path}?limit=&cursor=&sort=`)
    expect([path, answer.status, answer.body['errors']]).toEqual([path, 200, undefined])
  }
  const all = (await get('/sessions')).body['items']
  expect((await get('/sessions?appId=&userId=&status=&method=&ip=&q=&createdFrom=&activeTo=')).body['items']).toEqual(
    all,
  )
  const twice = await get('/sessions?status=&status=active')
  expect([twice.status, twice.body['errors']?.[0]?.path]).toEqual([400, 'status'])
})

test('what somebody without a sign-in sends is not even read', async () => {
  for (const path of ['/apps?userId=1&role=owner', '/users?sub=x', '/sessions?limit=0&limit=1', '/audit?operator=op_x'])
    expect([path, (await call(server, 'GET', `/api/v1${path}`)).status]).toEqual([path, 401])
  const body = { userId: 'usr_x', role: 'owner', operator: 'owner@example.com' }
  for (const path of ['/apps', '/operators', '/sessions/revoke', '/keys', '/tokens/inspect'])
    expect([path, (await call(server, 'POST', `/api/v1${path}`, { body })).status]).toEqual([path, 401])
})

test('moments are read as ISO 8601 has them, and an expiry lies ahead', async () => {
  for (const moment of ['0', 'x', '1e20', 'null', '12', '2026-13-01'])
    expect([moment, (await get(`/audit?from=${moment}`)).status]).toEqual([moment, 400])
  for (const moment of ['2026-06-01', '2026-06-01T12:00:00Z', '2026-06-01T14:00:00%2B02:00'])
    expect([moment, (await get(`/audit?from=${moment}`)).status]).toEqual([moment, 200])
  // The earliest and the latest that clients have words for are no error of ours, and mean always.
  const others = ['/traffic/sources'].map((path) => ({ path, moments: ['from', 'to'] }))
  for (const { path, moments } of [...lists, ...others]) {
    for (const moment of ['0000-01-01', '0001-01-01T00:00:00Z', '9999-12-31', '9999-12-31T23:59:59.999Z']) {
      for (const name of moments) {
        const answer = await get(`${path}?${name}=${moment}`)
        expect([path, name, moment, answer.status]).toEqual([path, name, moment, 200])
        const always = moment.startsWith('0') === /from$/i.test(name)
        if (!always) expect(answer.body['items'] ?? []).toEqual([])
      }
    }
  }
  const token = await operatorToken(server, 'viewer')
  const never = { name: 'never', expiresAt: '9999-12-31T23:59:59.999Z' }
  expect((await call(server, 'POST', '/api/v1/operator-tokens', { token, body: never })).status).toBe(201)
  const own = await call(server, 'GET', '/api/v1/operator-tokens', { token })
  expect(own.body['items']).toContainEqual(expect.objectContaining(never))
  for (const expiresAt of ['2026-05-31T00:00:00Z', null, 0, true]) {
    const answer = await call(server, 'POST', '/api/v1/operator-tokens', { token, body: { name: 'x', expiresAt } })
    expect([expiresAt, answer.status, answer.body['errors']?.[0]?.path]).toEqual([expiresAt, 400, 'expiresAt'])
  }
})

test('an operator corrects what a person says of themselves, and only that', async () => {
  const token = await operatorToken(server, 'admin')
  const user = (await get('/users')).body['items'][0] as { id: string }
  const change = (body: unknown, as = token) => call(server, 'PATCH', `/api/v1/users/${user.id}`, { token: as, body })
  const answer = await change({ name: 'Ada', email: 'ada@example.com', language: 'en' })
  expect(answer.body).toEqual({
    id: user.id,
    profile: { name: 'Ada', email: 'ada@example.com', language: 'en', username: 'person3' },
  })
  for (const body of [
    { username: 'root' },
    { emailVerified: true },
    { blocked: false },
    { name: 'a\nb' },
    { email: 'x' },
  ])
    expect((await change(body)).status).toBe(400)
  expect((await change({ name: null }, await operatorToken(server, 'support'))).status).toBe(403)
  expect((await change({ name: null })).body['profile'].name).toBeUndefined()
  const [entry] = (await get('/audit?action=user.update')).body['items']
  expect(entry).toMatchObject({ target: { kind: 'user', id: user.id }, after: { changed: ['name'] } })
  expect(JSON.stringify((await get('/audit')).body)).not.toContain('ada@example.com')
})

test('people by when they came, and sessions by when they ended', async () => {
  const start = server.clock.now.getTime() - 3 * 60_000
  const within = (from: number, to: number, kind: string) =>
    `${kind}From=${new Date(start + from * 1000).toISOString()}&${kind}To=${new Date(start + to * 1000).toISOString()}`
  const labels = async (path: string) =>
    ((await get(path)).body['items'] as Record<string, any>[]).map((item) => item['label'] ?? item['user'].label)
  const [first, second, third] = (await labels('/users?sort=createdAt')).slice(0, 3)
  expect(await labels(`/users?${within(0, 59, 'created')}`)).toEqual([first])
  expect(await labels(`/users?${within(60, 180, 'created')}`)).toEqual([third, second])
  expect((await get(`/users?${within(60, 180, 'created')}`)).body['total']).toBe(2)

  const token = await operatorToken(server, 'owner', 'ender@example.com')
  const live = (await get('/sessions?status=active&sort=createdAt')).body['items'] as { id: string }[]
  for (const { id } of live.slice(0, 2)) {
    await call(server, 'POST', `/api/v1/sessions/${id}/revoke`, { token, body: {} })
    server.clock.pass(60)
  }
  expect(await labels(`/sessions?status=ended&${within(180, 239, 'ended')}`)).toEqual([first])
  expect(await labels(`/sessions?status=ended&${within(240, 300, 'ended')}`)).toEqual([second])
  expect((await get('/sessions?endedFrom=yesterday')).status).toBe(400)
})

test('sessions by the network that they come from', async () => {
  const behind = await startServer({ env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1' } })
  const token = await operatorToken(behind)
  const app = await telegramApp(behind, { sessionPolicy: { maxConcurrentSessions: 100 } })
  const addresses = [
    '203.0.113.7',
    '203.0.113.77',
    '203.0.114.7',
    '198.51.100.1',
    '2001:db8:1:2::7',
    '2001:db8:1:22::7',
  ]
  for (const address of addresses) {
    const body = { initData: initData(person(1), behind.clock.now) }
    const headers = { 'x-forwarded-for': address }
    expect((await call(behind, 'POST', `/v1/apps/${app.slug}/telegram/login`, { body, headers })).status).toBe(200)
  }
  const from = async (query: string) => {
    const { status, body } = await call(behind, 'GET', `/api/v1/sessions?sort=createdAt&${query}`, { token })
    return status === 200 ? body['items'].map(({ ip }: { ip: string }) => ip) : body['errors']
  }
  const [a, b, c, , d, e] = addresses
  for (const [text, found] of [
    ['203.0.113.7', [a]],
    ['203.0.113.0/24', [a, b]],
    ['203.0.113.', [a, b]],
    ['203.0.112.0/22', [a, b, c]],
    ['203.0.113.0/28', [a]],
    ['203.0.113.0/32', []],
    ['10.0.0.0/8', []],
    ['2001:DB8:1:2::/64', [d]],
    ['2001:db8:1::/48', [d, e]],
    ['2001:db8:1:2:0:0:0:7', [d]],
    ['::ffff:203.0.113.7', [a]],
  ] as const) {
    expect([text, await from(`ip=${text}`)]).toEqual([text, found])
    expect([text, await from(`q=${text}`)]).toEqual([text, found])
  }
  for (const text of ['localhost', '203.0.113', '203.0.113.0/33', "' or 1=1 --"])
    expect(await from(`ip=${encodeURIComponent(text)}`)).toMatchObject([{ path: 'ip' }])
  const revoke = { filter: { ip: '203.0.112.0/22' } }
  expect((await call(behind, 'POST', '/api/v1/sessions/revoke', { token, body: revoke })).body).toEqual({ revoked: 3 })
  expect(await from('status=active')).toEqual([addresses[3], d, e])
})
