import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { updateUser } from '../../server/identity/store.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { revokeSession, revokeUserSessions } from '../../server/session/revoke.ts'
import { newApiKey, oauth } from '../support/apiKey.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

const refresh = (server: TestServer, refreshToken: string): Promise<Answer> =>
  call(server, 'POST', '/v1/token/refresh', { body: { refreshToken } })

async function signedIn(policy: Record<string, unknown> = {}) {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: policy })
  const login = (await signInWithTelegram(server, app)).body
  const { ids } = server.runtime.vault
  return {
    server,
    app,
    login,
    token: login['refreshToken'] as string,
    sessionId: ids.parse('ses', login['session'].id)!,
    userId: ids.parse('usr', login['user'].id)!,
  }
}

const outcome = (answer: Answer) => [answer.status, answer.body['code'], answer.body['reason']]

describe('a refresh token', () => {
  test('serves as often as one likes for seven days, to the second', async () => {
    const { server, token, login } = await signedIn()
    for (let day = 0; day < 6; day++) {
      server.clock.pass(86_400)
      const answer = await refresh(server, token)
      expect(answer.body).toEqual({ accessToken: expect.any(String), tokenType: 'Bearer', expiresIn: 1800 })
      expect(answer.headers.get('cache-control')).toBe('no-store')
      const session = await checkSession(server, answer.body['accessToken'])
      expect(session.body['session'].id).toBe(login['session'].id)
    }
    server.clock.pass(86_399)
    expect((await refresh(server, token)).status).toBe(200)
    server.clock.pass(1)
    expect(outcome(await refresh(server, token))).toEqual([401, 'token_expired', undefined])
  })

  test('keeps the session awake, but never past its absolute end', async () => {
    const { server, token } = await signedIn({ idleTimeout: 100, absoluteTimeout: 250, refreshTokenTtl: 10_000 })
    server.clock.pass(99)
    expect((await refresh(server, token)).body['expiresIn']).toBe(151)
    server.clock.pass(99)
    const last = await refresh(server, token)
    expect(last.body['expiresIn']).toBe(52)
    server.clock.pass(51)
    expect((await checkSession(server, last.body['accessToken'])).status).toBe(200)
    server.clock.pass(1)
    expect(outcome(await refresh(server, token))).toEqual([401, 'session_expired', 'absolute_timeout'])
    expect(outcome(await checkSession(server, last.body['accessToken']))[0]).toBe(401)
  })

  test('of an idle session is dead', async () => {
    const { server, token } = await signedIn({ idleTimeout: 100 })
    server.clock.pass(100)
    expect(outcome(await refresh(server, token))).toEqual([401, 'session_expired', 'idle_timeout'])
  })

  test('of an ended session, a blocked or erased user or a disabled app is refused with the reason', async () => {
    const ended = await signedIn()
    await revokeSession(ended.server.runtime, ended.sessionId, { reason: 'revoked_by_operator' })
    expect(outcome(await refresh(ended.server, ended.token))).toEqual([401, 'session_revoked', 'revoked_by_operator'])

    const blocked = await signedIn()
    const { runtime } = blocked.server
    await runtime.db.transaction((tx) => updateUser(tx, blocked.userId, { blockedAt: runtime.now() }))
    expect(outcome(await refresh(blocked.server, blocked.token))).toEqual([403, 'user_blocked', undefined])
    expect(outcome(await checkSession(blocked.server, blocked.login['accessToken']))).toEqual([
      403,
      'user_blocked',
      undefined,
    ])
    expect(outcome(await signInWithTelegram(blocked.server, blocked.app))).toEqual([403, 'user_blocked', undefined])
    await revokeUserSessions(runtime, blocked.userId, { reason: 'user_blocked' })
    expect(outcome(await refresh(blocked.server, blocked.token))).toEqual([401, 'session_revoked', 'user_blocked'])

    const erased = await signedIn()
    await call(erased.server, 'DELETE', '/v1/me', { token: erased.login['accessToken'] })
    expect(outcome(await refresh(erased.server, erased.token))[0]).toBe(401)

    const disabled = await signedIn()
    await changeApp(disabled.server.runtime, cliActor, disabled.app.id, { disabled: true })
    expect(outcome(await refresh(disabled.server, disabled.token))).toEqual([403, 'app_disabled', undefined])
    await changeApp(disabled.server.runtime, cliActor, disabled.app.id, { disabled: false })
    expect(outcome(await refresh(disabled.server, disabled.token))).toEqual([401, 'session_revoked', 'app_disabled'])
  })

  test('is good in its one spelling only', async () => {
    const { server, token } = await signedIn()
    const wrong = [
      token.slice(0, -1),
      `${token}=`,
      `${token}\n`,
      ` ${token}`,
      `gh_rt_${'A'.repeat(64)}`,
      token.slice(6),
      'x'.repeat(4999),
    ]
    for (const one of wrong) expect(outcome(await refresh(server, one))[1], one).toBe('token_invalid')
    for (const body of [
      {},
      { refreshToken: '' },
      { refreshToken: 1 },
      { refreshToken: [token] },
      { refreshToken: token, x: 1 },
    ])
      expect((await call(server, 'POST', '/v1/token/refresh', { body })).status).toBe(400)
  })

  test("of one app is not good for another's server, and not spent by the try", async () => {
    const { server, app, token } = await signedIn({ refreshRotation: true })
    const other = await telegramApp(server, { slug: 'other' })
    const form = { grant_type: 'refresh_token', refresh_token: token }
    const foreign = await oauth(server, '/oauth/token', form, { key: await newApiKey(server, other) })
    expect([foreign.status, foreign.body['error']]).toEqual([400, 'invalid_grant'])
    const own = await oauth(server, '/oauth/token', form, { key: await newApiKey(server, app) })
    expect(own.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 1800,
      refresh_token: expect.stringMatching(/^gh_rt_/),
    })
    expect(own.headers.get('cache-control')).toBe('no-store')
  })
})

describe('with rotation', () => {
  test('fifty uses at once within the grace give one successor', async () => {
    const { server, token, login } = await signedIn({ refreshRotation: true })
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(server, token)))
    expect(answers.map((answer) => answer.status)).toEqual(Array(50).fill(200))
    const successors = new Set(answers.map((answer) => answer.body['refreshToken'] as string))
    expect(successors.size).toBe(1)
    expect(successors.has(token)).toBe(false)
    expect((await refresh(server, [...successors][0]!)).status).toBe(200)
    expect((await checkSession(server, login['accessToken'])).status).toBe(200)
  })

  test('a use after the grace ends the session, and the newest token is dead too', async () => {
    const { server, token } = await signedIn({ refreshRotation: true })
    const second = await refresh(server, token)
    server.clock.pass(29)
    expect((await refresh(server, token)).body['refreshToken']).toBe(second.body['refreshToken'])
    server.clock.pass(2)
    expect(outcome(await refresh(server, token))).toEqual([401, 'session_revoked', 'refresh_reuse'])
    expect(outcome(await refresh(server, second.body['refreshToken']))).toEqual([
      401,
      'session_revoked',
      'refresh_reuse',
    ])
    expect(outcome(await checkSession(server, second.body['accessToken']))).toEqual([
      401,
      'session_revoked',
      'refresh_reuse',
    ])
  })

  test('a token two generations old is a reuse at once', async () => {
    const { server, token } = await signedIn({ refreshRotation: true })
    const second = await refresh(server, token)
    const third = await refresh(server, second.body['refreshToken'])
    expect(outcome(await refresh(server, token))).toEqual([401, 'session_revoked', 'refresh_reuse'])
    expect(outcome(await refresh(server, third.body['refreshToken']))[1]).toBe('session_revoked')
  })

  test('a forged token for a real session ends nothing', async () => {
    const { server, token, login } = await signedIn({ refreshRotation: true })
    const sealed = Buffer.from(token.slice(6), 'base64url').subarray(0, 16)
    const forged = `gh_rt_${Buffer.concat([sealed, Buffer.alloc(32, 1)]).toString('base64url')}`
    expect(outcome(await refresh(server, forged))[1]).toBe('token_invalid')
    expect((await checkSession(server, login['accessToken'])).status).toBe(200)
    expect((await refresh(server, token)).status).toBe(200)
  })

  test('each token lives its time anew, never past the absolute end', async () => {
    const { server, token } = await signedIn({ refreshRotation: true, refreshTokenTtl: 100, absoluteTimeout: 250 })
    server.clock.pass(99)
    const second = (await refresh(server, token)).body['refreshToken'] as string
    server.clock.pass(99)
    const third = (await refresh(server, second)).body['refreshToken'] as string
    server.clock.pass(52)
    expect(outcome(await refresh(server, third))).toEqual([401, 'session_expired', 'absolute_timeout'])
  })

  test('switched off again, the spent token stays spent', async () => {
    const { server, app, token } = await signedIn({ refreshRotation: true })
    const second = (await refresh(server, token)).body['refreshToken'] as string
    await changeApp(server.runtime, cliActor, app.id, { sessionPolicy: { refreshRotation: false } })
    expect(outcome(await refresh(server, token))[1]).toBe('token_invalid')
    expect((await refresh(server, second)).status).toBe(200)
  })
})
