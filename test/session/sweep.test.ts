import { expect, test } from 'vitest'
import { findSessionRow } from '../../server/session/store.ts'
import { sweep } from '../../server/sweep.ts'
import { rotateKeys } from '../../server/token/rotate.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { listKeys } from '../../server/token/store.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { person } from '../support/telegram.ts'

const rowOf = async (server: TestServer, id: string) =>
  (await findSessionRow(server.runtime.db, server.runtime.vault.ids.parse('ses', id)!))!

test('sessions that time has ended are written down with the moment and the reason, by their own app', async () => {
  const server = await startServer()
  const idle = await telegramApp(server, { slug: 'idle', sessionPolicy: { idleTimeout: 100, absoluteTimeout: 1000 } })
  const short = await telegramApp(server, { slug: 'short', sessionPolicy: { absoluteTimeout: 200 } })
  const patient = await telegramApp(server, { slug: 'patient', sessionPolicy: { idleTimeout: 100_000 } })
  const began = server.clock.now.getTime()
  const [a, b, c] = [
    await signInWithTelegram(server, idle),
    await signInWithTelegram(server, short),
    await signInWithTelegram(server, patient),
  ]
  server.clock.pass(50)
  expect(await sweep(server.runtime)).toMatchObject({ sessions: 0, next: 0 })
  server.clock.pass(250)
  expect(await sweep(server.runtime)).toMatchObject({ sessions: 2, next: 0 })
  expect(await sweep(server.runtime)).toMatchObject({ sessions: 0 })

  expect(await rowOf(server, a.body['session'].id)).toMatchObject({
    endReason: 'idle_timeout',
    endedAt: new Date(began + 100_000),
  })
  expect(await rowOf(server, b.body['session'].id)).toMatchObject({
    endReason: 'absolute_timeout',
    endedAt: new Date(began + 200_000),
  })
  expect(await rowOf(server, c.body['session'].id)).toMatchObject({ endedAt: null })
  expect((await checkSession(server, a.body['accessToken'])).body).toMatchObject({
    code: 'session_expired',
    reason: 'idle_timeout',
  })
})

test('a session in use is not swept, though its last use is not written yet', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { idleTimeout: 100 } })
  const login = await signInWithTelegram(server, app)
  for (let minute = 0; minute < 5; minute++) {
    server.clock.pass(60)
    expect((await checkSession(server, login.body['accessToken'])).status).toBe(200)
    expect(await sweep(server.runtime)).toMatchObject({ sessions: 0 })
  }
})

test('a seat is free again once its session was swept', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { idleTimeout: 100, limitPolicy: 'reject' } })
  await signInWithTelegram(server, app, person(1))
  server.clock.pass(200)
  await sweep(server.runtime)
  expect((await signInWithTelegram(server, app, person(1))).status).toBe(200)
})

test('what can never be used again is removed, and nothing else', async () => {
  const server = await startServer()
  const app = await telegramApp(server, {
    telegram: { singleUse: true, maxAge: 60 },
    sessionPolicy: { accessTokenFormat: 'opaque', accessTokenTtl: 60 },
  })
  await signInWithTelegram(server, app)
  await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })
  expect(await sweep(server.runtime)).toMatchObject({ nonces: 0, proofs: 0, tokens: 0, keys: 0 })
  const { active } = await rotateKeys(server.runtime, cliActor)

  server.clock.pass(3 * 86_400)
  expect(await sweep(server.runtime)).toMatchObject({ nonces: 1, proofs: 1, tokens: 1, keys: 1 })
  const keys = await listKeys(server.runtime.db)
  expect(keys.map(({ state }) => state).sort()).toEqual(['active', 'next'])
  expect(keys.find(({ state }) => state === 'active')!.kid).toBe(active)
})
