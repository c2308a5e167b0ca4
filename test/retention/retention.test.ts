import { expect, test } from 'vitest'
import { applyRetention } from '../../server/retention/apply.ts'
import { sweep } from '../../server/sweep.ts'
import { brandedApp, mailRow, queueMail } from '../support/mail.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { forge, manage, signIn, watched } from '../support/traffic.ts'

const days = (n: number) => n * 86_400

test('what is older than its retention goes, the rest stays, and the report says how much', async () => {
  const world = await watched()
  const { server } = world
  for (let n = 1; n <= 3; n++) {
    const { body } = await signIn(world, n, '198.51.100.7')
    await call(server, 'POST', '/v1/logout', { token: body['accessToken'] })
  }
  for (let n = 0; n < 25; n++) await forge(world, 1, '203.0.113.9')
  await server.runtime.traffic.flush()
  await server.runtime.figures.flush()
  const early = (await manage(world, 'GET', '/retention')).body
  expect(early).toMatchObject({ retention: { endedSessions: 90, tries: 30, days: null }, lastRun: null })

  server.clock.pass(days(29))
  const young = await applyRetention(server.runtime)
  expect(young.removed).toEqual({ minutes: expect.any(Number) })

  server.clock.pass(days(2))
  const live = await signIn(world, 9, '198.51.100.7')
  expect((await applyRetention(server.runtime)).removed).toEqual({ tries: 2 })
  server.clock.pass(days(60))
  expect((await applyRetention(server.runtime)).removed).toMatchObject({ endedSessions: 3 })
  server.clock.pass(days(100))
  expect((await applyRetention(server.runtime)).removed).toMatchObject({ findings: 1 })
  const told = (await manage(world, 'GET', '/retention')).body['lastRun']
  expect(told).toMatchObject({ removed: { findings: 1 } })
  expect(server.logged()).toContain('removed what is older than its retention')
  expect((await applyRetention(server.runtime)).removed).toEqual({})
  // What lives is never removed, however old.
  expect((await manage(world, 'GET', `/sessions/${live.body['session'].id}`)).status).toBe(200)
})

test('mails go after thirty days, or as long as an owner says, and those on their way never', async () => {
  const world = await watched()
  const { server } = world
  const app = await brandedApp(server, { slug: 'mails' })
  const kept = await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  expect((await manage(world, 'GET', '/retention')).body['retention']).toMatchObject({ emails: 30 })
  server.clock.pass(days(30))
  expect((await applyRetention(server.runtime)).removed).not.toHaveProperty('emails')
  const waiting = await queueMail(server, { app, kind: 'signature_updated' })
  server.clock.pass(days(1))
  expect((await applyRetention(server.runtime)).removed).toMatchObject({ emails: 1 })
  expect(await mailRow(server, kept)).toBeUndefined()
  await manage(world, 'PATCH', '/retention', { emails: 1 })
  server.clock.pass(days(9))
  await applyRetention(server.runtime)
  expect(await mailRow(server, waiting)).toMatchObject({ status: 'queued' })
})

test('an owner sets how long each kind is kept; nobody else does', async () => {
  const world = await watched()
  const changed = await manage(world, 'PATCH', '/retention', { endedSessions: 7, findings: null })
  expect(changed.body['retention']).toMatchObject({ endedSessions: 7, findings: null, tries: 30 })
  for (const body of [{ endedSessions: 0 }, { endedSessions: 1.5 }, { sessions: 3 }, { tries: '30' }])
    expect((await manage(world, 'PATCH', '/retention', body)).status).toBe(400)
  const admin = { ...world, operator: bearer(await operatorToken(world.server, 'admin')) }
  expect((await manage(admin, 'PATCH', '/retention', { endedSessions: 1 })).status).toBe(403)
  const { body } = await signIn(world, 1, '198.51.100.7')
  await call(world.server, 'POST', '/v1/logout', { token: body['accessToken'] })
  world.server.clock.pass(days(8))
  expect((await applyRetention(world.server.runtime)).removed).toMatchObject({ endedSessions: 1 })
})

test('a user whose block runs out may come in again', async () => {
  const world = await watched()
  const { user } = (await signIn(world, 1, '198.51.100.7')).body
  const expiresAt = new Date(world.server.clock.now.getTime() + 3_600_000).toISOString()
  await manage(world, 'POST', '/blocks', { kind: 'user', userId: user.id, reason: 'cooling off', expiresAt })
  world.server.clock.pass(3_599)
  await sweep(world.server.runtime)
  expect((await signIn(world, 1, '198.51.100.7')).status).toBe(403)
  world.server.clock.pass(1)
  await sweep(world.server.runtime)
  expect((await signIn(world, 1, '198.51.100.7')).status).toBe(200)
  // A later block for good is not lifted by an earlier one that runs out.
  await manage(world, 'POST', '/blocks', {
    kind: 'user',
    userId: user.id,
    reason: 'again',
    expiresAt: '2026-06-02T00:00:00Z',
  })
  await manage(world, 'POST', `/users/${user.id}/block`, { reason: 'for good' })
  world.server.clock.pass(days(3))
  await sweep(world.server.runtime)
  expect((await signIn(world, 1, '198.51.100.7')).status).toBe(403)
})

test('an app is told only the claims it asks for, and no others are kept', async () => {
  const world = await watched()
  const shy = await telegramApp(world.server, { slug: 'shy', claims: ['language'] })
  const login = await signInWithTelegram(world.server, shy)
  const { id, isNew, createdAt, ...profile } = login.body['user']
  expect([typeof id, isNew, typeof createdAt, profile]).toEqual(['string', true, 'string', { language: 'en' }])
  const token = login.body['accessToken']
  expect((await checkSession(world.server, token)).body['user']).not.toHaveProperty('name')
  const exported = (await call(world.server, 'GET', '/v1/me/export', { token })).body
  expect(JSON.stringify(exported)).not.toMatch(/Alice|alice_ito/)
  // Asking for less later forgets, at the next sign-in, what was kept before.
  const open = await telegramApp(world.server, { slug: 'open' })
  expect((await signInWithTelegram(world.server, open)).body['user']).toMatchObject({ name: 'Alice Ito' })
  await manage(world, 'PATCH', `/apps/${open.publicId}`, { claims: [] })
  const after = (await signInWithTelegram(world.server, open)).body
  expect(after['user']).toEqual({ id: after['user'].id, isNew: false, createdAt: after['user'].createdAt })
})

test('an export holds what was seen of the person, and nothing of it is left when they are erased', async () => {
  const world = await watched()
  let login = await signIn(world, 1, '198.51.1.1')
  for (let n = 2; n <= 9; n++) {
    world.server.clock.pass(2)
    login = await signIn(world, 1, `198.51.${n}.1`)
  }
  await world.server.runtime.traffic.flush()
  const token = login.body['accessToken']
  const exported = (await call(world.server, 'GET', '/v1/me/export', { token })).body
  expect(exported['findings']).toMatchObject([{ detector: 'many_addresses' }])
  expect(exported).toMatchObject({ notifications: [], notificationPreferences: null, blocks: [] })
  expect(exported['sessions']).toHaveLength(9)
  expect((await call(world.server, 'DELETE', '/v1/me', { token })).status).toBe(204)
  expect((await manage(world, 'GET', '/traffic')).body['items']).toEqual([])
})
