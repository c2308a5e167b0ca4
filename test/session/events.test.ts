import { describe, expect, onTestFinished, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'

type Happened = { event: string; data: Record<string, any> }

/** Reads a stream to its end. */
async function listen(server: { url: string }, token: string) {
  const giveUp = new AbortController()
  onTestFinished(() => giveUp.abort())
  const response = await fetch(`${server.url}/v1/session/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: giveUp.signal,
  })
  const over = (async () => {
    const text = await response.text()
    const events: Happened[] = [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event, data]) => ({
      event: event!,
      data: JSON.parse(data!) as Record<string, any>,
    }))
    return { text, events, at: performance.now() }
  })()
  over.catch(() => {})
  return { response, over, giveUp }
}

async function setUp(more: Parameters<typeof telegramApp>[1] = {}) {
  const server = await startServer()
  const app = await telegramApp(server, more)
  const login = (await signInWithTelegram(server, app, undefined, { 'user-agent': 'Old Phone' })).body
  return { server, app, login, token: login['accessToken'] as string }
}

describe("a session's own stream", () => {
  test('tells within a second that another login took its place, when and on what device', async () => {
    const { server, app, login, token } = await setUp()
    const stream = await listen(server, token)
    expect([stream.response.status, stream.response.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ])
    expect(stream.response.headers.get('cache-control')).toBe('no-store')
    server.clock.pass(60)
    const second = await signInWithTelegram(server, app, undefined, { 'user-agent': 'New Phone' })
    const committed = performance.now()
    const { events, at } = await stream.over
    expect(at - committed).toBeLessThan(1_000)
    const refusal = (await checkSession(server, token)).body
    expect(events).toEqual([
      {
        event: 'session.ended',
        data: {
          sessionId: login['session'].id,
          code: 'session_revoked',
          detail: refusal['detail'],
          reason: 'limit_exceeded',
          endedAt: server.clock.now.toISOString(),
          replacedBy: { at: second.body['session'].createdAt, method: 'telegram', device: 'New Phone' },
        },
      },
    ])
    expect(refusal).toMatchObject({ reason: 'limit_exceeded', replacedBy: events[0]!.data['replacedBy'] })
  })

  test('tells it on every server of an installation', async () => {
    const { one, two } = await startPair()
    const app = await telegramApp(one)
    const { accessToken } = (await signInWithTelegram(one, app)).body
    const streams = [await listen(one, accessToken as string), await listen(two, accessToken as string)]
    await signInWithTelegram(two, app)
    const committed = performance.now()
    for (const stream of streams) {
      const { events, at } = await stream.over
      expect(at - committed).toBeLessThan(1_000)
      expect(events.map(({ data }) => data['reason'])).toEqual(['limit_exceeded'])
    }
  })

  test.each<[string, (server: TestServer, token: string, ids: Record<string, string>) => Promise<unknown>]>([
    ['logout', (server, token) => call(server, 'POST', '/v1/logout', { token })],
    ['logout_all', (server, token) => call(server, 'POST', '/v1/logout/all', { token })],
    ['user_erased', (server, token) => call(server, 'DELETE', '/v1/me', { token })],
    [
      'revoked_by_operator',
      async (server, _token, { session }) =>
        call(server, 'POST', `/api/v1/sessions/${session}/revoke`, {
          headers: bearer(await operatorToken(server)),
          body: {},
        }),
    ],
    [
      'user_blocked',
      async (server, _token, { user }) =>
        call(server, 'POST', `/api/v1/users/${user}/block`, {
          headers: bearer(await operatorToken(server)),
          body: { reason: 'spam' },
        }),
    ],
    ['idle_timeout', async (server) => server.clock.pass(604_800)],
  ])('tells of %s', async (reason, end) => {
    const { server, login, token } = await setUp()
    const stream = await listen(server, token)
    await end(server, token, { session: login['session'].id, user: login['user'].id })
    const { events } = await stream.over
    expect(events).toMatchObject([{ event: 'session.ended', data: { sessionId: login['session'].id, reason } }])
    const next = (await checkSession(server, token)).body
    expect(next['status']).toBe(401)
    expect(next['reason']).toBe(reason)
  })

  test('tells of an app that is switched off', async () => {
    const { server, app, token } = await setUp()
    const stream = await listen(server, token)
    await changeApp(server.runtime, cliActor, app.id, { disabled: true })
    expect((await stream.over).events).toMatchObject([{ data: { reason: 'app_disabled' } }])
  })

  test('ends with the token that opened it, while the session lives', async () => {
    const { server, token } = await setUp()
    const stream = await listen(server, token)
    server.clock.pass(1_800)
    expect((await stream.over).events).toMatchObject([{ event: 'token.expired' }])
  })

  test('says nothing of other sessions', async () => {
    const { server, app, token } = await setUp({ sessionPolicy: { maxConcurrentSessions: 2 } })
    const other = (await signInWithTelegram(server, app)).body
    const [own, others] = [await listen(server, token), await listen(server, other['accessToken'])]
    await call(server, 'POST', '/v1/logout', { token: other['accessToken'] })
    expect((await others.over).events).toMatchObject([{ data: { reason: 'logout' } }])
    await call(server, 'POST', '/v1/logout/all', { token })
    expect((await own.over).events.map(({ data }) => data['reason'])).toEqual(['logout_all'])
  })

  test('is open three times at most; the oldest gives way', async () => {
    const { server, token } = await setUp()
    const streams = []
    for (let n = 0; n < 4; n++) streams.push(await listen(server, token))
    expect((await streams[0]!.over).events).toEqual([])
    await call(server, 'POST', '/v1/logout', { token })
    for (const stream of streams.slice(1)) expect((await stream.over).events.length).toBe(1)
  })

  test('is for the bearer of a live token only', async () => {
    const { server, token } = await setUp()
    expect((await call(server, 'GET', '/v1/session/events')).body).toMatchObject({ code: 'token_invalid' })
    expect((await call(server, 'GET', `/v1/session/events?token=${token}`)).status).toBe(401)
    await call(server, 'POST', '/v1/logout', { token })
    expect((await call(server, 'GET', '/v1/session/events', { token })).body).toMatchObject({ reason: 'logout' })
  })

  test('does not hold up a server that stops', async () => {
    const { server, token } = await setUp()
    const stream = await listen(server, token)
    server.runtime.stopping = true
    expect((await stream.over).events).toEqual([])
  })
})
