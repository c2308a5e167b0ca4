import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { person } from '../support/telegram.ts'

const outcome = (answer: Answer) => [answer.status, answer.body['code'], answer.body['reason']]
const signOut = (server: TestServer, token: string, path = '/v1/logout') => call(server, 'POST', path, { token })

async function signedIn(policy: Record<string, unknown> = {}) {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { accessTokenTtl: 86_400, ...policy } })
  const login = (await signInWithTelegram(server, app)).body
  return { server, app, login, token: login['accessToken'] as string }
}

describe('a session', () => {
  test('idles out to the second when it is not used', async () => {
    const { server, token } = await signedIn({ idleTimeout: 100 })
    server.clock.pass(99.999)
    const last = await checkSession(server, token)
    expect(last.body['session']).toMatchObject({
      lastActiveAt: '2026-06-01T12:01:39.999Z',
      idleExpiresAt: '2026-06-01T12:03:19.999Z',
    })
    server.clock.pass(100)
    expect(outcome(await checkSession(server, token))).toEqual([401, 'session_expired', 'idle_timeout'])
    expect((await checkSession(server, token)).body['endedAt']).toBe('2026-06-01T12:03:19.999Z')
  })

  test('in use lives to its absolute end, to the second, and no longer', async () => {
    const { server, token } = await signedIn({ idleTimeout: 2, absoluteTimeout: 20 })
    for (let second = 0; second < 19; second++) {
      server.clock.pass(1)
      expect((await checkSession(server, token)).status).toBe(200)
    }
    server.clock.pass(0.999)
    const last = await checkSession(server, token)
    expect([last.status, last.body['session'].idleExpiresAt]).toEqual([200, '2026-06-01T12:00:20.000Z'])
    server.clock.pass(0.001)
    expect(outcome(await checkSession(server, token))).toEqual([401, 'session_expired', 'absolute_timeout'])
  })

  test('that timed out takes no seat and does not come back by being asked for', async () => {
    const { server, app, token } = await signedIn({ idleTimeout: 100, limitPolicy: 'reject' })
    server.clock.pass(100)
    expect(outcome(await checkSession(server, token))[0]).toBe(401)
    const second = await signInWithTelegram(server, app)
    expect([second.status, second.body['evictedSessions']]).toEqual([200, []])
    expect(outcome(await checkSession(server, token))).toEqual([401, 'session_expired', 'idle_timeout'])
  })

  test('used on one server is awake on the other, whichever is asked', async () => {
    const { one, two, pass } = await startPair()
    const app = await telegramApp(one, { sessionPolicy: { idleTimeout: 100, accessTokenTtl: 86_400 } })
    const { accessToken } = (await signInWithTelegram(one, app)).body as { accessToken: string }
    for (const [server, seconds] of [
      [one, 99],
      [two, 99],
      [two, 50],
      [one, 99],
      [two, 99],
    ] as const) {
      pass(seconds)
      expect((await checkSession(server, accessToken)).status).toBe(200)
    }
    pass(100)
    for (const server of [one, two]) expect(outcome(await checkSession(server, accessToken))[2]).toBe('idle_timeout')
  })

  test('is as fresh after a restart as before it', async () => {
    const { one, databaseUrl } = await startPair()
    const app = await telegramApp(one, { sessionPolicy: { idleTimeout: 100, accessTokenTtl: 86_400 } })
    const { accessToken } = (await signInWithTelegram(one, app)).body as { accessToken: string }
    // So soon after the login that the use is only in memory, until the stop writes it.
    one.clock.pass(40)
    expect((await checkSession(one, accessToken)).status).toBe(200)
    await one.stop()
    const next = await startServer({ databaseUrl, now: new Date(one.clock.now.getTime() + 99_000) })
    const session = await checkSession(next, accessToken)
    expect([session.status, session.body['session'].createdAt]).toEqual([200, '2026-06-01T12:00:00.000Z'])
  })

  test('in use survives a crash: what is lost is less than half its idle time', async () => {
    const { one, two, pass } = await startPair()
    const app = await telegramApp(one, { sessionPolicy: { idleTimeout: 100, accessTokenTtl: 86_400 } })
    const { accessToken } = (await signInWithTelegram(one, app)).body as { accessToken: string }
    pass(60)
    expect((await checkSession(one, accessToken)).status).toBe(200)
    pass(49)
    expect((await checkSession(one, accessToken)).status).toBe(200)
    // The first server is gone from here on, with what it only remembers.
    pass(50)
    expect((await checkSession(two, accessToken)).status).toBe(200)
  })

  test('of a busy client is written seldom', async () => {
    const { server, token } = await signedIn()
    await checkSession(server, token)
    await server.runtime.activity.flush(true)
    let writes = 0
    const { db } = server.runtime
    const transaction = db.transaction.bind(db)
    db.transaction = (work) => {
      writes++
      return transaction(work)
    }
    for (let second = 0; second < 100; second++) {
      server.clock.pass(1)
      expect((await checkSession(server, token)).status).toBe(200)
    }
    expect(writes).toBeLessThan(3)
    expect((await checkSession(server, token)).body['session'].lastActiveAt).toBe('2026-06-01T12:01:40.000Z')
  })
})

describe('signing out', () => {
  test('ends the session on the next call on every server, for every token of it', async () => {
    const { one, two } = await startPair()
    const app = await telegramApp(one)
    const login = (await signInWithTelegram(one, app)).body as { accessToken: string; refreshToken: string }
    const more = await call(two, 'POST', '/v1/token/refresh', { body: { refreshToken: login.refreshToken } })
    for (const server of [one, two]) expect((await checkSession(server, login.accessToken)).status).toBe(200)
    const answer = await signOut(two, login.accessToken)
    expect([answer.status, answer.body]).toEqual([204, { text: '' }])
    for (const server of [one, two]) {
      for (const token of [login.accessToken, more.body['accessToken'] as string])
        expect(outcome(await checkSession(server, token))).toEqual([401, 'session_revoked', 'logout'])
      const body = { refreshToken: login.refreshToken }
      expect((await call(server, 'POST', '/v1/token/refresh', { body })).status).toBe(401)
    }
    expect((await signOut(one, login.accessToken)).status).toBe(401)
  })

  test('everywhere ends all sessions of this person with this app, and no others', async () => {
    const { one, two } = await startPair()
    const app = await telegramApp(one, { sessionPolicy: { maxConcurrentSessions: 3 } })
    const other = await telegramApp(one, { slug: 'other' })
    const mine = [
      await signInWithTelegram(one, app),
      await signInWithTelegram(two, app),
      await signInWithTelegram(two, app),
    ]
    const elsewhere = await signInWithTelegram(one, other)
    const theirs = await signInWithTelegram(one, app, person(2))
    expect((await signOut(one, mine[0]!.body['accessToken'], '/v1/logout/all')).status).toBe(204)
    for (const server of [one, two]) {
      for (const login of mine)
        expect(outcome(await checkSession(server, login.body['accessToken']))).toEqual([
          401,
          'session_revoked',
          'logout_all',
        ])
      for (const login of [elsewhere, theirs])
        expect((await checkSession(server, login.body['accessToken'])).status).toBe(200)
    }
  })

  test('never makes a session id valid again', async () => {
    const { server, app, login, token } = await signedIn()
    await signOut(server, token)
    const again = await signInWithTelegram(server, app)
    expect(again.body['session'].id).not.toBe(login['session'].id)
    expect((await checkSession(server, token)).status).toBe(401)
  })
})

describe('one’s own sessions', () => {
  test('are listed with device, address, times and which is this one', async () => {
    const { server, app, login } = await signedIn({ maxConcurrentSessions: 3 })
    server.clock.pass(60)
    const phone = await signInWithTelegram(server, app, undefined, { 'user-agent': 'Telegram-iOS/12.1' })
    await signInWithTelegram(server, app, person(3))
    const { status, body } = await call(server, 'GET', '/v1/me/sessions', { token: phone.body['accessToken'] })
    expect(status).toBe(200)
    expect(body['items']).toEqual([
      {
        ...phone.body['session'],
        device: 'Telegram-iOS/12.1',
        deviceKind: 'telegram_ios',
        ip: '127.0.0.1',
        country: null,
        current: true,
      },
      { ...login['session'], device: 'node', deviceKind: 'script', ip: '127.0.0.1', country: null, current: false },
    ])
    expect(body['nextCursor']).toBeNull()
  })

  test('can be ended one by one; whose they are not, does not learn of them', async () => {
    const { server, app, login, token } = await signedIn({ maxConcurrentSessions: 3 })
    const other = await signInWithTelegram(server, app)
    const bob = (await signInWithTelegram(server, app, person(9))).body['accessToken'] as string
    const end = (id: string, by: string) => call(server, 'DELETE', `/v1/me/sessions/${id}`, { token: by })

    for (const id of [login['session'].id, login['user'].id, 'ses_00000000000000000000000000', '1', '%27', 'ses_'])
      expect(outcome(await end(id as string, bob)).slice(0, 2), id as string).toEqual([404, 'not_found'])
    expect((await checkSession(server, token)).status).toBe(200)

    expect((await end(other.body['session'].id, token)).status).toBe(204)
    expect(outcome(await checkSession(server, other.body['accessToken']))).toEqual([401, 'session_revoked', 'logout'])
    expect((await end(other.body['session'].id, token)).status).toBe(404)
    expect((await end(login['session'].id, token)).status).toBe(204)
    expect((await checkSession(server, token)).status).toBe(401)
  })
})

test('switching an app off refuses everything at once, on both servers', async () => {
  const { one, two } = await startPair()
  const app = await telegramApp(one)
  const login = (await signInWithTelegram(two, app)).body as { accessToken: string; refreshToken: string }
  expect((await checkSession(two, login.accessToken)).status).toBe(200)
  await changeApp(one.runtime, cliActor, app.id, { disabled: true })
  for (const server of [one, two]) {
    expect(outcome(await checkSession(server, login.accessToken)).slice(0, 2)).toEqual([403, 'app_disabled'])
    expect(outcome(await signInWithTelegram(server, app)).slice(0, 2)).toEqual([403, 'app_disabled'])
    expect(outcome(await signOut(server, login.accessToken)).slice(0, 2)).toEqual([403, 'app_disabled'])
    const nonce = await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })
    expect(outcome(nonce).slice(0, 2)).toEqual([403, 'app_disabled'])
  }
  await changeApp(one.runtime, cliActor, app.id, { disabled: false })
  expect(outcome(await checkSession(two, login.accessToken))).toEqual([401, 'session_revoked', 'app_disabled'])
  expect((await signInWithTelegram(two, app)).status).toBe(200)
})

test('a shorter idle time holds for sessions that are open already', async () => {
  const { server, app, token } = await signedIn()
  server.clock.pass(3600)
  await changeApp(server.runtime, cliActor, app.id, { sessionPolicy: { idleTimeout: 60 } })
  expect(outcome(await checkSession(server, token))).toEqual([401, 'session_expired', 'idle_timeout'])
})

test('a hundred logins at once over two servers leave exactly the limit alive, and both agree on the keys', async () => {
  const { one, two } = await startPair()
  const app = await telegramApp(one, { sessionPolicy: { maxConcurrentSessions: 2 } })
  const logins = await Promise.all(Array.from({ length: 100 }, (_, at) => signInWithTelegram(at % 2 ? one : two, app)))
  expect(logins.every((login) => login.status === 200)).toBe(true)
  for (const server of [one, two]) {
    const checks = await Promise.all(logins.map((login) => checkSession(server, login.body['accessToken'])))
    expect(checks.filter((check) => check.status === 200)).toHaveLength(2)
    expect(new Set(checks.map((check) => check.body['code']))).toEqual(new Set([undefined, 'session_revoked']))
  }
  const keys = await Promise.all([one, two].map((server) => call(server, 'GET', '/.well-known/jwks.json')))
  expect(keys[0]!.body).toEqual(keys[1]!.body)
  expect(keys[0]!.body['keys']).toHaveLength(2)
})
