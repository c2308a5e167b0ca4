import { expect, test } from 'vitest'
import { blockUser } from '../../server/identity/block.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { revokeSession } from '../../server/session/revoke.ts'
import { sweep } from '../../server/sweep.ts'
import { local, newEndpoint, patchEndpoint } from '../support/events.ts'
import { startReceiver, type Received } from '../support/receiver.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

const told = (received: Received[]) => received.map(({ json }) => [json.data.op, json.data.content.reason])

async function withEndpoint(types: string[]) {
  const server = await startServer({ env: local })
  const app = await telegramApp(server)
  const receiver = await startReceiver()
  const endpoint = await newEndpoint(server, app, receiver.url, { types })
  return { server, app, receiver, endpoint }
}

test('an eviction tells the app to sign the person out of that session, and of its end', async () => {
  const { server, app, receiver } = await withEndpoint(['user.logout', 'session.ended'])
  const first = await signInWithTelegram(server, app)
  server.clock.pass(60)
  await signInWithTelegram(server, app)
  await server.runtime.outbox.pass()

  const { user, session } = first.body
  expect(receiver.received.map(({ json }) => json.data.op).sort()).toEqual(['session.ended', 'user.logout'])
  const logout = receiver.received.find(({ json }) => json.data.op === 'user.logout')!.json
  expect(Object.keys(logout)).toEqual(['user', 'title', 'body', 'data'])
  expect(logout).toMatchObject({
    user: user.id,
    data: {
      time: String(server.clock.now.getTime() / 1000),
      content: { userId: user.id, sessionId: session.id, method: 'telegram', reason: 'limit_exceeded' },
    },
  })
})

test('a sign-in tells of the session, and of the person when it is their first', async () => {
  const { server, app, receiver } = await withEndpoint(['user.created', 'session.created'])
  const first = await signInWithTelegram(server, app)
  await signInWithTelegram(server, app)
  await server.runtime.outbox.pass()
  expect(receiver.received.map(({ json }) => json.data.op).sort()).toEqual([
    'session.created',
    'session.created',
    'user.created',
  ])
  const created = receiver.received.filter(({ json }) => json.data.op === 'session.created')
  expect(created.map(({ json }) => json.data.content.sessionId)).toContain(first.body['session'].id)
})

test('every way in which a session ends is told, and user.logout only where the person did not do it', async () => {
  const { server, app, receiver } = await withEndpoint(['user.logout', 'session.ended'])
  const end = async (how: (login: Record<string, any>) => Promise<unknown>) => {
    const login = await signInWithTelegram(server, app)
    await how(login.body)
    await server.runtime.outbox.pass()
    return told(receiver.received.splice(0)).sort()
  }
  const number = (login: Record<string, any>) => server.runtime.vault.ids.parse('ses', login['session'].id)!

  expect(await end((login) => call(server, 'POST', '/v1/logout', { token: login['accessToken'] }))).toEqual([
    ['session.ended', 'logout'],
  ])
  expect(await end((login) => call(server, 'POST', '/v1/logout/all', { token: login['accessToken'] }))).toEqual([
    ['session.ended', 'logout_all'],
  ])
  expect(await end((login) => revokeSession(server.runtime, number(login), { reason: 'revoked_by_operator' }))).toEqual(
    [
      ['session.ended', 'revoked_by_operator'],
      ['user.logout', 'revoked_by_operator'],
    ],
  )
  expect(
    await end(async () => {
      server.clock.pass(700_000)
      await sweep(server.runtime)
    }),
  ).toEqual([['session.ended', 'idle_timeout']])
  const user = (login: Record<string, any>) => server.runtime.vault.ids.parse('usr', login['user'].id)!
  expect(await end((login) => blockUser(server.runtime, cliActor, user(login), 'spam'))).toEqual([
    ['session.ended', 'user_blocked'],
    ['user.logout', 'user_blocked'],
  ])
})

test('an erased person is told of once more, by an id that means nobody any longer', async () => {
  const { server, app, receiver } = await withEndpoint(['*'])
  const { user, accessToken } = (await signInWithTelegram(server, app)).body as Record<string, any>
  expect((await call(server, 'DELETE', '/v1/me', { token: accessToken })).status).toBe(204)
  await server.runtime.outbox.pass()
  // What was not sent before the erasure is erased with the person.
  expect(receiver.received.map(({ json }) => [json.user, json.data.op])).toEqual([[user.id, 'user.erased']])
})

test('an app without endpoints pays nothing: a login writes no event', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  await signInWithTelegram(server, app)
  await signInWithTelegram(server, app)
  const { events } = await import('../../server/db/schema.ts')
  expect(await server.runtime.db.$count(events)).toBe(0)
})

test('an endpoint that another process made or switched off counts from the next login on', async () => {
  const { server, app, receiver, endpoint } = await withEndpoint(['session.created'])
  await signInWithTelegram(server, app)
  await server.runtime.outbox.pass()
  expect(receiver.received).toHaveLength(1)
  await patchEndpoint(server, app, endpoint.row.id, { types: ['user.logout'] })
  await signInWithTelegram(server, app)
  await server.runtime.outbox.pass()
  expect(told(receiver.received.slice(1))).toEqual([['user.logout', 'limit_exceeded']])
})
