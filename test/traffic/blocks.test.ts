import { expect, test } from 'vitest'
import { bearer, operatorToken } from '../support/operator.ts'
import { startPair } from '../support/pair.ts'
import { call, type Answer } from '../support/server.ts'
import { checkSession, telegramApp } from '../support/signIn.ts'
import { forge, manage, post, signIn, watched, type Watched } from '../support/traffic.ts'

const outcome = (answer: Answer) => [answer.status, answer.body['code']]
const check = (world: Watched, token: string, ip: string) =>
  call(world.server, 'GET', '/v1/session', { token, headers: { 'x-forwarded-for': ip } })
const block = (world: Watched, body: object) => manage(world, 'POST', '/blocks', { reason: 'ticket 4711', ...body })

test('a blocked address is refused on its next call, everywhere, until the block is lifted', async () => {
  const world = await watched()
  const token = (await signIn(world, 1, '203.0.113.7')).body['accessToken']
  const made = await block(world, { kind: 'address', value: '203.0.113.7' })
  expect([made.status, made.body]).toEqual([
    201,
    {
      id: expect.stringMatching(/^blk_/),
      effect: 'block',
      kind: 'address',
      value: '203.0.113.7',
      userId: null,
      appId: null,
      reason: 'ticket 4711',
      author: 'owner@example.com',
      automatic: false,
      createdAt: '2026-06-01T12:00:00.000Z',
      expiresAt: null,
    },
  ])
  expect(outcome(await signIn(world, 1, '203.0.113.7'))).toEqual([403, 'forbidden'])
  expect(outcome(await check(world, token, '203.0.113.7'))).toEqual([403, 'forbidden'])
  expect(JSON.stringify((await check(world, token, '203.0.113.7')).body)).not.toContain('4711')
  expect((await check(world, token, '203.0.113.8')).status).toBe(200)
  expect((await manage(world, 'DELETE', `/blocks/${made.body['id']}`)).status).toBe(204)
  expect((await check(world, token, '203.0.113.7')).status).toBe(200)
  const audit = (await manage(world, 'GET', '/audit')).body['items'] as { action: string }[]
  expect(audit.map(({ action }) => action)).toEqual(expect.arrayContaining(['block.create', 'block.delete']))
})

test.each([
  ['203.0.113.64/26', '203.0.113.100', '203.0.113.1'],
  ['203.0.113.77/24', '203.0.113.1', '203.0.114.1'],
  ['2001:db8:5::/48', '2001:db8:5:1::1', '2001:db8:6::1'],
])('a network %s is blocked whole and no further', async (value, inside, outside) => {
  const world = await watched()
  expect((await block(world, { kind: 'network', value })).status).toBe(201)
  expect(outcome(await signIn(world, 1, inside))).toEqual([403, 'forbidden'])
  expect((await signIn(world, 1, outside)).status).toBe(200)
})

test.each([
  ['address', '::ffff:203.0.113.7', '203.0.113.7'],
  ['address', '::FFFF:CB00:7107', '203.0.113.7'],
  ['network', '::ffff:203.0.113.7/120', '203.0.113.0/24'],
])('IPv4 in IPv6 form is the same %s: %s', async (kind, value, plain) => {
  const world = await watched()
  expect((await block(world, { kind, value })).body['value']).toBe(plain)
  expect(outcome(await signIn(world, 1, '203.0.113.7'))).toEqual([403, 'forbidden'])
  expect((await signIn(world, 1, '203.0.114.7')).status).toBe(200)
})

test('the same block once more takes the place of the first, also of one that the watch made', async () => {
  const world = await watched()
  for (let n = 0; n < 30; n++) await forge(world, 1, '203.0.113.9')
  const appId = world.app.publicId
  for (const value of ['203.0.113.9', '::ffff:203.0.113.9'])
    expect((await block(world, { kind: 'address', value, appId, reason: value })).status).toBe(201)
  await block(world, { kind: 'address', value: '203.0.113.9', effect: 'allow', appId: appId, reason: 'other' })
  const listed = (await manage(world, 'GET', '/blocks')).body['items'] as { id: string; reason: string }[]
  expect(listed.map(({ reason }) => reason)).toEqual(['other', '::ffff:203.0.113.9'])
  for (const { id } of listed) await manage(world, 'DELETE', `/blocks/${id}`)
  expect((await signIn(world, 1, '203.0.113.9')).status).toBe(200)
  const audit = (await manage(world, 'GET', '/audit?action=block.create')).body['items'] as { before: unknown }[]
  expect(audit.map(({ before }) => before)).toContainEqual({ reason: '203.0.113.9', expiresAt: null })
})

test('who is allowed in one app comes in there, though blocked everywhere', async () => {
  const world = await watched()
  await telegramApp(world.server, { slug: 'other' })
  await block(world, { kind: 'network', value: '203.0.113.0/24' })
  await block(world, { effect: 'allow', kind: 'address', value: '203.0.113.7', appId: world.app.publicId })
  const login = await signIn(world, 1, '203.0.113.7')
  expect(login.status).toBe(200)
  expect((await check(world, login.body['accessToken'], '203.0.113.7')).status).toBe(200)
  expect((await signIn(world, 1, '203.0.113.8')).status).toBe(403)
  const initData = { initData: 'whatever' }
  expect(outcome(await post(world, '/v1/apps/other/telegram/login', '203.0.113.7', initData))).toEqual([
    403,
    'forbidden',
  ])
})

test('an app that is allowed is watched by nobody, also where the watch had stopped somebody before', async () => {
  const world = await watched()
  for (let n = 0; n < 30; n++) await forge(world, 1, '203.0.113.9')
  expect((await signIn(world, 1, '203.0.113.9')).status).toBe(429)
  await block(world, { effect: 'allow', kind: 'app', appId: world.app.publicId })
  expect((await signIn(world, 1, '203.0.113.9')).status).toBe(200)
})

test('why somebody was stopped is answered for any spelling of an address, and for a network', async () => {
  const world = await watched()
  await block(world, { kind: 'network', value: '203.0.113.0/24' })
  await block(world, { kind: 'address', value: '2001:db8::7' })
  for (const [q, value] of [
    ['203.0.113.9', '203.0.113.0/24'],
    ['::ffff:203.0.113.9', '203.0.113.0/24'],
    ['203.0.113.77/24', '203.0.113.0/24'],
    ['2001:DB8:0::7', '2001:db8::7'],
  ]) {
    const why = await manage(world, 'GET', `/traffic/why?q=${encodeURIComponent(q!)}`)
    expect([why.body['verdict'], why.body['blocks']], q).toMatchObject([
      expect.stringMatching(/blocked now/),
      [{ value }],
    ])
  }
  const free = await manage(world, 'GET', '/traffic/why?q=198.51.100.0/24')
  expect([free.body['verdict'], free.body['blocks']]).toEqual(['Nothing stops this', []])
})

test('a block ends when it says, to the second', async () => {
  const world = await watched()
  await block(world, { kind: 'address', value: '203.0.113.7', expiresAt: '2026-06-01T13:00:00Z' })
  world.server.clock.pass(3599)
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(403)
  world.server.clock.pass(1)
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(200)
  expect((await manage(world, 'GET', '/blocks')).body['items']).toEqual([])
})

test('the allow-list wins over blocks and findings', async () => {
  const world = await watched()
  await block(world, { kind: 'network', value: '203.0.113.0/24' })
  await block(world, { effect: 'allow', kind: 'address', value: '203.0.113.7' })
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(200)
  for (let n = 0; n < 40; n++) expect((await forge(world, 1, '203.0.113.7')).status).toBe(401)
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(200)
})

test('a block for one app leaves the others alone', async () => {
  const world = await watched()
  const other = await telegramApp(world.server, { slug: 'other' })
  await block(world, { kind: 'address', value: '203.0.113.7', appId: other.publicId })
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(200)
  await block(world, { kind: 'address', value: '203.0.113.7', appId: world.app.publicId })
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(403)
})

test('a blocked app takes no sign-ins, and its sessions go on', async () => {
  const world = await watched()
  const token = (await signIn(world, 1, '203.0.113.7')).body['accessToken']
  await block(world, { kind: 'app', appId: world.app.publicId })
  expect(outcome(await signIn(world, 2, '203.0.113.7'))).toEqual([403, 'forbidden'])
  expect((await checkSession(world.server, token)).status).toBe(200)
})

test('a blocked user is signed out, and comes back when the block is lifted', async () => {
  const world = await watched()
  const login = (await signIn(world, 1, '203.0.113.7')).body
  const made = await block(world, { kind: 'user', userId: login['user'].id })
  expect((await checkSession(world.server, login['accessToken'])).body['code']).toBe('session_revoked')
  expect(outcome(await signIn(world, 1, '203.0.113.7'))).toEqual([403, 'user_blocked'])
  expect((await signIn(world, 2, '203.0.113.7')).status).toBe(200)
  expect((await manage(world, 'DELETE', `/blocks/${made.body['id']}`)).status).toBe(204)
  expect((await signIn(world, 1, '203.0.113.7')).status).toBe(200)
})

test('unblocking a user on their own page takes the block off the list', async () => {
  const world = await watched()
  const { user } = (await signIn(world, 1, '203.0.113.7')).body
  await block(world, { kind: 'user', userId: user.id })
  expect((await manage(world, 'POST', `/users/${user.id}/unblock`, {})).status).toBe(204)
  expect((await manage(world, 'GET', '/blocks')).body['items']).toEqual([])
})

test('a block that the watch made is listed, and an operator lifts it', async () => {
  const world = await watched()
  for (let n = 0; n < 30; n++) await forge(world, 1, '203.0.113.9')
  expect((await signIn(world, 1, '203.0.113.9')).status).toBe(429)
  const [made] = (await manage(world, 'GET', '/blocks')).body['items'] as { id: string }[]
  expect(made).toMatchObject({ kind: 'address', value: '203.0.113.9', automatic: true, author: 'traffic watch' })
  const why = await manage(world, 'GET', '/traffic/why?q=203.0.113.9')
  expect(why.body).toMatchObject({
    verdict: 'This address is blocked now',
    blocks: [{ value: '203.0.113.9' }],
    findings: [{ detector: 'failed_proofs' }],
  })
  expect(why.body['stops'].length).toBeGreaterThan(5)
  expect((await manage(world, 'DELETE', `/blocks/${made!.id}`)).status).toBe(204)
  expect((await signIn(world, 1, '203.0.113.9')).status).toBe(200)
})

test('what is no block is refused with every fault', async () => {
  const world = await watched()
  const userId = (await signIn(world, 1, '203.0.113.7')).body['user'].id as string
  const other = await telegramApp(world.server, { slug: 'other' })
  for (const body of [
    { kind: 'address', value: 'nonsense' },
    { kind: 'address', value: '203.0.113.0/24' },
    { kind: 'address' },
    { kind: 'network', value: '0.0.0.0/0' },
    { kind: 'network', value: '203.0.113.7' },
    { kind: 'network', value: '::/8' },
    { kind: 'app' },
    { kind: 'galaxy', value: 'x' },
    { kind: 'address', value: '203.0.113.7', expiresAt: '2020-01-01T00:00:00Z' },
    { kind: 'address', value: '203.0.113.7', more: 1 },
    { kind: 'address', value: 'fe80::1%eth0' },
    { kind: 'network', value: '010.0.0.0/8' },
    { kind: 'network', value: '10/8' },
    { kind: 'network', value: '203.0.113.0/024' },
    { kind: 'network', value: '203.0.113.0/24/8' },
    { kind: 'network', value: '::ffff:0:0/96' },
    { kind: 'network', value: '::ffff:10.0.0.0/90' },
    { kind: 'address', value: '203.0.113.7', userId },
    { kind: 'user', userId, value: '203.0.113.7' },
    { kind: 'user', userId, effect: 'allow' },
    { kind: 'user', userId, appId: other.publicId },
    { kind: 'user' },
    { kind: 'app', appId: world.app.publicId, value: '203.0.113.7' },
    { kind: 'app', appId: world.app.publicId, userId },
  ]) {
    const refused = await block(world, body)
    expect([refused.status, refused.body['errors']], JSON.stringify(body)).toEqual([
      400,
      expect.arrayContaining([{ path: expect.stringMatching(/^\w+$/), message: expect.any(String) }]),
    ])
  }
  expect((await block(world, { kind: 'user', userId: 'usr_nobody' })).status).toBe(404)
  expect((await manage(world, 'DELETE', '/blocks/blk_nothing')).status).toBe(404)
})

test('roles and scopes hold: a viewer only looks, an operator of one app touches that app only', async () => {
  const world = await watched()
  const other = await telegramApp(world.server, { slug: 'other' })
  const as = (token: string): Watched => ({ ...world, operator: bearer(token) })
  const viewer = as(await operatorToken(world.server, 'viewer'))
  expect((await manage(viewer, 'GET', '/blocks')).status).toBe(200)
  expect((await block(viewer, { kind: 'address', value: '203.0.113.7' })).status).toBe(403)
  const one = as(await operatorToken(world.server, 'admin', 'one@example.com', [world.app.id]))
  expect((await block(one, { kind: 'address', value: '203.0.113.7' })).status).toBe(403)
  expect((await block(one, { kind: 'address', value: '203.0.113.7', appId: other.publicId })).status).toBe(404)
  expect((await block(one, { kind: 'address', value: '203.0.113.7', appId: world.app.publicId })).status).toBe(201)
  expect((await manage(one, 'PATCH', '/traffic/rules/flood', { mode: 'off' })).status).toBe(403)
  const foreign = await block(world, { kind: 'address', value: '203.0.113.8', appId: other.publicId })
  expect((await manage(one, 'DELETE', `/blocks/${foreign.body['id']}`)).status).toBe(404)
  const listed = (await manage(one, 'GET', '/blocks')).body['items'] as { value: string }[]
  expect(listed.map(({ value }) => value)).toEqual(['203.0.113.7'])
  await forge(world, 1, '203.0.113.50')
  expect((await call(world.server, 'GET', '/api/v1/traffic')).status).toBe(401)
})

test('another process knows of a block a second later at the most', async () => {
  const { one, two } = await startPair({ GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' })
  const app = await telegramApp(one, { slug: 'quest' })
  const operator = bearer(await operatorToken(one))
  const [here, there]: Watched[] = [
    { server: one, app, operator },
    { server: two, app, operator },
  ]
  expect((await signIn(there!, 1, '203.0.113.7')).status).toBe(200)
  await block(here!, { kind: 'address', value: '203.0.113.7' })
  await expect.poll(async () => (await signIn(there!, 1, '203.0.113.7')).status, { timeout: 3_000 }).toBe(403)
})

test('two installations in one process count apart, though the same address comes to both', async () => {
  const worlds = [await watched(), await watched()]
  for (const world of worlds) await signIn(world, 1, '198.51.100.7')
  for (const world of worlds) {
    const { networks } = (await manage(world, 'GET', '/traffic/sources')).body
    expect(networks).toEqual([{ value: '198.51.100.0/24', succeeded: 1, failed: 0, stopped: 0 }])
  }
})
