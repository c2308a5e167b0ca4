import { eq } from 'drizzle-orm'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { events } from '../../server/db/schema.ts'
import { judgeAnswer, type BotAnswer } from '../../server/notification/telegramAnswer.ts'
import { cliActor } from '../../server/operator/audit.ts'
import type { NewApp } from '../../server/app/settings.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, post, sent } from '../support/events.ts'
import { listen } from '../support/listen.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { readVectors } from '../support/readVectors.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { dataOf, openStream } from '../support/stream.ts'
import { botToken, person } from '../support/telegram.ts'

type Message = { chat_id: number; text: string; parse_mode: string }

async function setUp(input: Partial<NewApp> = {}) {
  const messages: Message[] = []
  const paths: string[] = []
  let answer: [number, object] = [200, { ok: true, result: {} }]
  const bot = await listen((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      paths.push(request.url!)
      messages.push(JSON.parse(body) as Message)
      response.writeHead(answer[0], { 'content-type': 'application/json' }).end(JSON.stringify(answer[1]))
    })
  })
  const server = await startServer({ env: { ...local, TELEGRAM_API_URL: bot }, now: new Date() })
  const app = await telegramApp(server, { ...input, sessionPolicy: { maxConcurrentSessions: 10 } })
  const key = await newApiKey(server, app)
  const login = (await signInWithTelegram(server, app)).body as Record<string, any>
  const token = login['accessToken'] as string
  const emit = async (event: object = {}) => {
    const recorded = await post(server, app, key, { ...sent, user: login['user'].id, ...event })
    expect(recorded.status).toBe(202)
    return recorded.body['id'] as string
  }
  const channelsOf = async (id: string) => {
    const { body } = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
    const owed = body['deliveries'] as { channel: string; status: string; reason: string | null }[]
    return Object.fromEntries(owed.map(({ channel, status, reason }) => [channel, `${status} ${String(reason)}`]))
  }
  return {
    ...{ server, app, key, login, token, emit, channelsOf, messages, paths },
    botAnswers: (status: number, body: object) => void (answer = [status, body]),
  }
}

test('a person reads their own notifications, newest first, page by page, and marks them as read', async () => {
  const { server, app, token, emit } = await setUp()
  for (const to of ['1', '2', '3']) await emit({ content: { ...sent.content, to } })
  await emit({ user: 'somebody else' })
  const first = await call(server, 'GET', '/v1/me/notifications?limit=2', { token })
  expect(first.body['items'].map((one: Record<string, any>) => one['data'].content.to)).toEqual(['3', '2'])
  expect(first.body['items'][0]).toMatchObject({
    type: 'txn.sent',
    group: 'transactions',
    title: 'Sent ONE',
    readAt: null,
  })
  const rest = await call(server, 'GET', `/v1/me/notifications?limit=2&cursor=${first.body['nextCursor']}`, { token })
  expect(rest.body).toMatchObject({ items: [{ data: { content: { to: '1' } } }], nextCursor: null })
  const upTo = first.body['items'][1].id as string
  expect((await call(server, 'POST', '/v1/me/notifications/read', { token, body: { upTo } })).body).toEqual({ read: 2 })
  const again = await call(server, 'GET', '/v1/me/notifications', { token })
  expect(again.body['items'].map((one: { readAt: string | null }) => one.readAt !== null)).toEqual([false, true, true])

  const other = (await signInWithTelegram(server, app, person(5))).body['accessToken'] as string
  expect((await call(server, 'GET', '/v1/me/notifications', { token: other })).body['items']).toEqual([])
  expect((await call(server, 'POST', '/v1/me/notifications/read', { token: other, body: { upTo } })).body).toEqual({
    read: 0,
  })
  expect((await call(server, 'GET', '/v1/me/notifications')).status).toBe(401)
  expect((await call(server, 'GET', '/v1/me/notifications?cursor=e30', { token })).status).toBe(400)
})

test('an app names a person by our id, by their Telegram id, or by its own', async () => {
  const { server, token, emit, login } = await setUp()
  for (const user of [login['user'].id, '279058397', 'unknown']) await emit({ user })
  const { items } = (await call(server, 'GET', '/v1/me/notifications', { token })).body as { items: unknown[] }
  expect(items).toHaveLength(2)
})

test('the stream brings notifications as they come, after a break what was missed, and ends with the session', async () => {
  const { server, token, emit } = await setUp()
  const url = `${server.url}/v1/me/notifications/stream`
  const headers = { authorization: `Bearer ${token}` }
  const stream = await openStream(url, headers)
  expect(stream.status).toBe(200)
  const first = await emit()
  await expect.poll(() => dataOf(stream.text).length).toBe(1)
  expect(dataOf(stream.text)[0]).toMatchObject({ id: first, title: 'Sent ONE' })
  stream.close()
  const missed = [await emit(), await emit()]
  const resumed = await openStream(url, { ...headers, 'last-event-id': first })
  await expect.poll(() => dataOf(resumed.text).map(({ id }) => id as string)).toEqual(missed)
  await call(server, 'POST', '/v1/logout', { token })
  await expect.poll(() => resumed.ended, { timeout: 5_000 }).toBe(true)
  const refused = await openStream(url, headers)
  expect(refused.status).toBe(401)
})

test.each([0, 1])(
  'a client that was shown nothing is brought what came while it was away, %i being there before',
  async (before) => {
    const { server, token, emit } = await setUp()
    for (let n = 0; n < before; n++) await emit()
    const url = `${server.url}/v1/me/notifications/stream`
    const headers = { authorization: `Bearer ${token}` }
    const stream = await openStream(url, headers)
    await expect.poll(() => stream.text).toMatch(/^id: evt_/m)
    const [, begun] = /^id: (.*)$/m.exec(stream.text)!
    stream.close()
    const missed = await emit()
    const resumed = await openStream(url, { ...headers, 'last-event-id': begun! })
    await expect.poll(() => dataOf(resumed.text).map(({ id }) => id as string)).toEqual([missed])
  },
)

test('what is committed after a later event is brought all the same, and nothing twice', async () => {
  const { server, app, token, emit, login } = await setUp()
  await emit()
  const url = `${server.url}/v1/me/notifications/stream`
  const stream = await openStream(url, { authorization: `Bearer ${token}` })
  const { db, vault } = server.runtime
  const other = (await signInWithTelegram(server, app, person(8))).body as Record<string, any>
  const late = await emit({ user: other['user'].id })
  const early = await emit()
  await expect.poll(() => dataOf(stream.text).map(({ id }) => id as string)).toEqual([early])
  // For this stream it is as if its transaction had taken longer than the one after it.
  const userId = vault.ids.parse('usr', login['user'].id)!
  await db.transaction((tx) =>
    tx
      .update(events)
      .set({ userId })
      .where(eq(events.id, vault.ids.parse('evt', late)!)),
  )
  await expect.poll(() => dataOf(stream.text).map(({ id }) => id as string), { timeout: 5_000 }).toEqual([early, late])
  const ids = [...stream.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
  expect(ids.slice(1)).toEqual([early, early])
  server.clock.pass(20)
  const last = await emit()
  await expect.poll(() => dataOf(stream.text).map(({ id }) => id as string)).toEqual([early, late, last])
})

test('what a client does not read waits in the database, and comes whole and once when it reads on', async () => {
  const { server, app, key, login, token, emit } = await setUp()
  const first = await emit()
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  const served = new Promise<Socket>((resolve) => server.server.once('connection', resolve))
  const head = `host: x\r\nauthorization: Bearer ${token}\r\nlast-event-id: ${first}\r\n\r\n`
  socket.pause().write(`GET /v1/me/notifications/stream HTTP/1.1\r\n${head}`)
  // What the kernel keeps for a connection is some megabytes; the rest would wait in the process.
  const event = { ...sent, user: login['user'].id, content: { ...sent.content, memo: 'x'.repeat(60_000) } }
  const ids: string[] = []
  for (let batch = 0; batch < 75; batch++)
    ids.push(...((await post(server, app, key, [event, event, event, event])).body['ids'] as string[]))
  expect((await served).writableLength).toBeLessThan(1_000_000)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  socket.resume()
  const seen = () => [...text.matchAll(/^data: {"id":"(\w+)"/gm)].map(([, id]) => id!)
  await expect.poll(() => seen().length, { timeout: 30_000 }).toBe(ids.length)
  expect(seen()).toEqual(ids)
})

test('a sixth stream at once is refused, and a closed one makes room', async () => {
  const { server, token } = await setUp()
  const open = () => openStream(`${server.url}/v1/me/notifications/stream`, { authorization: `Bearer ${token}` })
  const streams = await Promise.all(Array.from({ length: 5 }, open))
  expect((await open()).status).toBe(429)
  streams[0]!.close()
  await expect.poll(async () => (await open()).status).toBe(200)
})

test('what a person switched off is not sent and says so; security cannot be switched off', async () => {
  const { server, token, emit, channelsOf, messages } = await setUp({ channels: { telegram: true } })
  const path = '/v1/me/notification-preferences'
  const defaults = await call(server, 'GET', path, { token })
  expect(defaults.body['preferences'].transactions).toEqual({
    inbox: true,
    telegram: true,
    email: true,
    mandatory: false,
  })
  expect(defaults.body['preferences'].security.mandatory).toBe(true)
  const choices = { transactions: { inbox: false, telegram: false } }
  const saved = await call(server, 'PUT', path, { token, body: choices })
  expect(saved.body['preferences'].transactions).toMatchObject({ inbox: false, telegram: false, email: true })
  const unsafe = await call(server, 'PUT', path, { token, body: { security: { inbox: false } } })
  expect([unsafe.status, unsafe.body['errors']]).toEqual([
    400,
    [{ path: 'security.inbox', message: 'cannot be switched off' }],
  ])
  // What was read is sent back as it is, whole or in part.
  for (const body of [saved.body, saved.body['preferences']])
    expect((await call(server, 'PUT', path, { token, body })).body).toEqual(saved.body)
  const id = await emit()
  await server.runtime.outbox.pass()
  expect(await channelsOf(id)).toEqual({ inbox: 'skipped preference', telegram: 'skipped preference' })
  expect(messages).toEqual([])
  expect((await call(server, 'GET', '/v1/me/notifications', { token })).body['items']).toEqual([])
})

test("the app's bot writes to the person, safely escaped, and its token is nowhere in the log", async () => {
  const { server, emit, channelsOf, messages, paths } = await setUp({ channels: { telegram: true } })
  const id = await emit({ content: { ...sent.content, to: '<script>&' } })
  await server.runtime.outbox.pass()
  expect(paths).toEqual([`/bot${botToken}/sendMessage`])
  expect(messages).toEqual([
    expect.objectContaining({
      chat_id: 279058397,
      parse_mode: 'HTML',
      text: '<b>Sent ONE</b>\n0.45976983 ONE has been sent to &lt;script&gt;&amp;',
    }),
  ])
  expect(await channelsOf(id)).toEqual({ inbox: 'delivered ok', telegram: 'delivered ok' })
  const client = consoleClient(server, bearer(await operatorToken(server)))
  const shown = JSON.stringify(await client.notifications.get.query({ id }))
  for (const text of [shown, server.logged()]) expect(text).not.toContain(botToken.split(':')[1])
})

test('a bot that is told to wait waits, with everything it has to say', async () => {
  const { server, app, key, emit, channelsOf, messages, botAnswers } = await setUp({ channels: { telegram: true } })
  botAnswers(429, { ok: false, error_code: 429, description: 'Too Many Requests', parameters: { retry_after: 30 } })
  const id = await emit()
  await server.runtime.outbox.pass()
  expect(messages).toHaveLength(1)
  const other = (await signInWithTelegram(server, app, person(6))).body as Record<string, any>
  await post(server, app, key, { ...sent, user: other['user'].id })
  server.clock.pass(29)
  await server.runtime.outbox.pass()
  expect(messages).toHaveLength(1)
  botAnswers(200, { ok: true })
  // To one chat a message a second at the most, whatever the clock of the test says.
  const passed = async () => {
    server.clock.pass(2)
    await server.runtime.outbox.pass()
    return messages.length
  }
  await expect.poll(passed, { timeout: 5_000 }).toBe(3)
  expect(new Set(messages.slice(1).map(({ chat_id }) => chat_id))).toEqual(new Set([6, 279058397]))
  expect((await channelsOf(id))['telegram']).toBe('delivered ok')
})

test('a person who blocked the bot is not written to again, until they choose anew', async () => {
  const { server, token, emit, channelsOf, messages, botAnswers } = await setUp({ channels: { telegram: true } })
  botAnswers(403, { ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' })
  const first = await emit()
  await server.runtime.outbox.pass()
  expect((await channelsOf(first))['telegram']).toBe('skipped unreachable')
  const second = await emit()
  await server.runtime.outbox.pass()
  expect((await channelsOf(second))['telegram']).toBe('skipped unreachable')
  expect(messages).toHaveLength(1)
  const path = '/v1/me/notification-preferences'
  expect((await call(server, 'GET', path, { token })).body['telegram'].reachable).toBe(false)
  expect((await call(server, 'PUT', path, { token, body: {} })).body['telegram'].reachable).toBe(true)
})

test('a bot of Telegram’s test environment writes there', async () => {
  const { server, app, emit, paths } = await setUp({ channels: { telegram: true } })
  await changeApp(server.runtime, cliActor, app.id, { telegram: { testEnvironment: true } })
  await emit()
  await server.runtime.outbox.pass()
  expect(paths).toEqual([`/bot${botToken}/test/sendMessage`])
})

test('an app without bot, and a person without Telegram, are said to be so', async () => {
  const { server, app, token, emit, channelsOf } = await setUp({ channels: { telegram: true, inbox: false } })
  await changeApp(server.runtime, cliActor, app.id, { telegram: { botToken: null } })
  const { body } = await call(server, 'GET', '/v1/me/notification-preferences', { token })
  expect(body['telegram']).toEqual({ reachable: false, reason: 'no_bot', since: null })
  expect(await channelsOf(await emit())).toEqual({ telegram: 'skipped no_bot' })
  await changeApp(server.runtime, cliActor, app.id, { channels: { telegram: false } })
  expect(await channelsOf(await emit())).toEqual({})
})

test.each(readVectors<{ cases: { file: string; response: BotAnswer }[] }>('telegram-bot-api-errors.json').cases)(
  'the Bot API’s $response.description is understood',
  ({ response }) => {
    const code = response.error_code!
    const { verdict } = judgeAnswer(code, response)
    const said = response.description!
    const gone = code === 403 || /chat not found|user not found|PEER_ID|group is deactivated/.test(said)
    const wanted = code === 429 ? 'again' : gone ? 'skipped' : code === 400 ? 'dead' : 'retry'
    expect(verdict.kind).toBe(wanted)
    if (verdict.kind === 'again') expect(verdict.afterMs).toBe(response.parameters!.retry_after! * 1000)
  },
)
