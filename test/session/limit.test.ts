import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { isUniqueViolation } from '../../server/db/database.ts'
import { sessions } from '../../server/db/schema.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { call, startServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

test('a second login ends the first at the default limit of one, and the first is told why', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const first = await signInWithTelegram(server, app)
  server.clock.pass(60)
  const second = await signInWithTelegram(server, app, undefined, { 'user-agent': 'Telegram-iOS/12.1' })

  expect(second.body['evictedSessions']).toEqual([first.body['session'].id])
  const refused = await checkSession(server, first.body['accessToken'])
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
  expect(refused.body).toMatchObject({
    code: 'session_revoked',
    reason: 'limit_exceeded',
    replacedBy: { at: server.clock.now.toISOString(), method: 'telegram', device: 'Telegram-iOS/12.1' },
  })
  expect((await checkSession(server, second.body['accessToken'])).status).toBe(200)
})

test('the oldest idle session is evicted, not the oldest created', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 2 } })
  const busy = await signInWithTelegram(server, app)
  server.clock.pass(10)
  const idle = await signInWithTelegram(server, app)
  server.clock.pass(10)
  await checkSession(server, busy.body['accessToken'])
  server.clock.pass(10)
  const third = await signInWithTelegram(server, app)

  expect(third.body['evictedSessions']).toEqual([idle.body['session'].id])
  expect((await checkSession(server, busy.body['accessToken'])).status).toBe(200)
})

test.each([1, 3])('a hundred logins at once leave exactly %i alive', async (limit) => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: limit } })
  const logins = await Promise.all(Array.from({ length: 100 }, () => signInWithTelegram(server, app)))
  expect(logins.map((login) => login.status)).toEqual(Array(100).fill(200))

  const checks = await Promise.all(logins.map((login) => checkSession(server, login.body['accessToken'])))
  expect(checks.filter((check) => check.status === 200)).toHaveLength(limit)
  expect(new Set(checks.filter((check) => check.status !== 200).map((check) => check.body['reason']))).toEqual(
    new Set(['limit_exceeded']),
  )
  // Every login but the last ones was evicted by exactly one other.
  const evicted = logins.flatMap((login) => login.body['evictedSessions'] as string[])
  expect(new Set(evicted).size).toBe(100 - limit)
  expect(evicted).toHaveLength(100 - limit)
})

test('an app that rejects instead of evicting answers 409 and leaves everything as it was', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { limitPolicy: 'reject' } })
  const first = await signInWithTelegram(server, app)
  const second = await signInWithTelegram(server, app)
  expect([second.status, second.body['code']]).toEqual([409, 'session_limit_reached'])
  expect(second.body['detail']).toBe('One session at a time is allowed; sign out elsewhere first')
  expect((await checkSession(server, first.body['accessToken'])).status).toBe(200)
})

test('the limit of one app does not touch the sessions of another', async () => {
  const server = await startServer()
  const [one, two] = [await telegramApp(server), await telegramApp(server, { slug: 'two' })]
  const first = await signInWithTelegram(server, one)
  await signInWithTelegram(server, two)
  expect((await checkSession(server, first.body['accessToken'])).status).toBe(200)
})

test('a lowered limit ends the sessions beyond it at once, the least active first', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 3 } })
  const logins = []
  for (let login = 0; login < 3; login++) {
    logins.push(await signInWithTelegram(server, app))
    server.clock.pass(1)
  }
  await checkSession(server, logins[0]!.body['accessToken'])
  await changeApp(server.runtime, cliActor, app.id, { sessionPolicy: { maxConcurrentSessions: 1 } })
  const checks = await Promise.all(logins.map((login) => checkSession(server, login.body['accessToken'])))
  expect(checks.map((check) => check.body['reason'] ?? check.status)).toEqual([200, 'limit_exceeded', 'limit_exceeded'])
})

test('two live sessions cannot hold one seat, whoever writes them, and one that has ended gives its seat back', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 2 } })
  const first = await signInWithTelegram(server, app)
  const second = await signInWithTelegram(server, app)
  const { db, vault } = server.runtime
  const seats = async () =>
    (await db.select({ id: sessions.id, seat: sessions.seat }).from(sessions)).sort((a, b) => a.id - b.id)
  const [one, two] = [first, second].map(({ body }) => vault.ids.parse('ses', body['session'].id)!)
  expect(await seats()).toEqual([
    { id: one, seat: 0 },
    { id: two, seat: 1 },
  ])
  const taken = db.transaction(async (tx) => tx.update(sessions).set({ seat: 0 }).where(eq(sessions.id, two!)))
  await expect(taken).rejects.toSatisfy(isUniqueViolation)

  await call(server, 'POST', '/v1/logout', { token: first.body['accessToken'] })
  const third = await signInWithTelegram(server, app)
  const three = vault.ids.parse('ses', third.body['session'].id)!
  await call(server, 'POST', '/v1/logout/all', { token: third.body['accessToken'] })
  expect(await seats()).toEqual([one!, two!, three].map((id) => ({ id, seat: -id })))
})
