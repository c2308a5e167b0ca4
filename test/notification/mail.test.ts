import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import type { NewApp } from '../../server/app/settings.ts'
import { headersOf } from '../../server/email/compose.ts'
import { noteBounce } from '../../server/email/bounce.ts'
import { findEmail, findSuppression } from '../../server/email/store.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newApiKey } from '../support/apiKey.ts'
import { post, sent } from '../support/events.ts'
import { brandedApp } from '../support/mail.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { reply, startSmtp } from '../support/smtp.ts'
import { signInWithEmail } from '../support/sso.ts'
import { nonceProof } from '../support/tonLogin.ts'
import { newWallet } from '../support/wallet.ts'

type Owed = { channel: string; status: string; reason: string | null; attempts: Record<string, any>[] }
type Options = { smtp?: Parameters<typeof startSmtp>[0]; input?: Partial<NewApp>; env?: Record<string, string> }

async function setUp({ smtp: refusals = {}, input = {}, env = {} }: Options = {}) {
  const smtp = await startSmtp(refusals)
  const server = await startServer({ env: { SMTP_URL: smtp.url, ...env } })
  const app = await brandedApp(server, { channels: { inbox: false, email: true }, ...input })
  const key = await newApiKey(server, app)
  const login = await signInWithEmail(server, app, 'ada@example.org', { subject: 'ada', name: 'Ada' })
  const emit = async (event: object = {}) => {
    const recorded = await post(server, app, key, { ...sent, user: 'ada', ...event })
    expect(recorded.status).toBe(202)
    return recorded.body['id'] as string
  }
  const mailOf = async (id: string) => {
    const { body } = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
    return (body['deliveries'] as Owed[]).find(({ channel }) => channel === 'email')!
  }
  return { server, smtp, app, key, emit, mailOf, token: login.accessToken }
}

const preferences = '/v1/me/notification-preferences'

test('an event reaches a person by e-mail, in the app’s frame, and the log says so', async () => {
  const { server, smtp, emit, mailOf } = await setUp()
  const id = await emit({ content: { ...sent.content, to: '<b>Jack</b> & co' } })
  expect(await mailOf(id)).toMatchObject({ status: 'pending', attempts: [] })
  await server.runtime.mailer.pass()
  const [mail] = smtp.received
  expect(mail!.to).toEqual(['ada@example.org'])
  expect(mail!.parsed).toMatchObject({
    subject: 'Sent ONE',
    from: { value: [{ name: 'TON Quest Security', address: 'no-reply@quest.example' }] },
    replyTo: { value: [{ address: 'help@quest.example' }] },
  })
  const { html, text } = mail!.parsed
  expect(html).toContain('0.45976983 ONE has been sent to &#60;b&#62;Jack&#60;/b&#62; &#38; co')
  expect(text).toContain('0.45976983 ONE has been sent to <b>Jack</b> & co')
  for (const mark of ['TON Quest', 'help@quest.example', '© 2026 TON Quest Ltd'])
    for (const part of [html, text]) expect(part).toContain(mark)
  expect(html).toContain('https://cdn.example.com/logo.png')
  expect(await mailOf(id)).toMatchObject({
    status: 'delivered',
    reason: 'ok',
    tries: 1,
    attempts: [{ number: 1, outcome: 'ok', status: 250, request: null }],
  })
})

test('a mail is written in the language of its event, else of the person, else of the app', async () => {
  const { server, smtp, emit, token } = await setUp({ input: { email: { locale: 'fr' } } })
  await emit({ locale: 'de-AT' })
  await emit()
  await call(server, 'PATCH', '/v1/me', { token, body: { language: 'ru' } })
  await emit()
  await server.runtime.mailer.pass()
  const languages = smtp.received.map(({ parsed }) => [parsed.subject, parsed.headers.get('content-language')])
  expect(Object.fromEntries(languages)).toEqual({ 'ONE gesendet': 'de', 'Envoi de ONE': 'fr', 'ONE: отправлено': 'ru' })
  const russian = smtp.received.find(({ parsed }) => parsed.subject === 'ONE: отправлено')!
  expect(russian.parsed.html).toContain('Не получать письма')
})

test('only an address that a login vouches for is written to, and the log says why not', async () => {
  const { server, app, key, smtp, mailOf, token } = await setUp()
  await signInWithEmail(server, app, 'unproved@example.org', { subject: 'bob', verified: false })
  const recorded = async (user: string) => (await post(server, app, key, { ...sent, user })).body['id'] as string
  expect(await mailOf(await recorded('bob'))).toMatchObject({ status: 'skipped', reason: 'email_unverified' })
  const reachable = async () => (await call(server, 'GET', preferences, { token })).body['email'] as object
  expect(await reachable()).toEqual({ reachable: true, reason: null })
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'other@example.org' } })
  expect(await reachable()).toEqual({ reachable: false, reason: 'email_unverified' })
  expect(await mailOf(await recorded('ada'))).toMatchObject({ status: 'skipped', reason: 'email_unverified' })
  await call(server, 'PATCH', '/v1/me', { token, body: { email: null } })
  expect(await mailOf(await recorded('ada'))).toMatchObject({
    status: 'skipped',
    reason: 'no_email',
    explanation: 'No e-mail address of the person is known',
  })
  await server.runtime.mailer.pass()
  expect(smtp.received).toEqual([])
})

test('what a person switched off is not mailed; what concerns their safety is, and says that it cannot be stopped', async () => {
  const { server, app, smtp, emit, mailOf, token } = await setUp()
  await call(server, 'PUT', preferences, { token, body: { transactions: { email: false } } })
  expect(await mailOf(await emit())).toMatchObject({ status: 'skipped', reason: 'preference' })
  const proof = await nonceProof(server, app, newWallet())
  expect((await call(server, 'POST', '/v1/me/wallets', { token, body: proof })).status).toBe(201)
  await server.runtime.mailer.pass()
  expect(smtp.received.map(({ parsed }) => parsed.subject)).toEqual(['Wallet linked'])
  const { source, parsed } = smtp.received[0]!
  expect(source).not.toMatch(/list-unsubscribe/i)
  expect(parsed.text).toContain('Such mails cannot be switched off.')
})

test('one click of a mail program stops mails of that kind, and nothing else', async () => {
  const { privateKey: SMTP_DKIM_KEY } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const dkim = { SMTP_DKIM_DOMAIN: 'quest.example', SMTP_DKIM_SELECTOR: 'g', SMTP_DKIM_KEY }
  const { server, smtp, emit, mailOf, token } = await setUp({
    env: { GATEHOUSE_PUBLIC_URL: 'https://auth.quest.example', ...dkim },
  })
  await call(server, 'PUT', preferences, { token, body: { transactions: { telegram: false } } })
  await emit()
  await server.runtime.mailer.pass()
  const { parsed, source } = smtp.received[0]!
  const headers = headersOf(Buffer.from(source))
  const valueOf = (name: string) => headers.find((header) => header.name === name)?.value
  expect(valueOf('List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click')
  expect(valueOf('DKIM-Signature')).toMatch(/h=[a-z:\s-]*list-unsubscribe:\s?list-unsubscribe-post/)
  const url = valueOf('List-Unsubscribe')!.slice(1, -1)
  expect(url).toMatch(/^https:\/\/auth\.quest\.example\/mails\/stop\/[\w-]+$/)
  expect(parsed.text).toContain(url)
  const path = new URL(url).pathname
  const press = (body: string) =>
    fetch(server.url + path, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body })

  const looked = await fetch(server.url + path)
  expect([looked.status, looked.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(await looked.text()).toContain('Stop these mails?')
  expect((await mailOf(await emit())).status).toBe('pending')

  expect((await press('List-Unsubscribe=One-Click')).status).toBe(200)
  const after = (await call(server, 'GET', preferences, { token })).body['preferences']
  expect(after.transactions).toMatchObject({ inbox: true, telegram: false, email: false })
  expect(after.trading.email).toBe(true)
  expect(await mailOf(await emit())).toMatchObject({ status: 'skipped', reason: 'preference' })
  expect(await (await press('mails=on')).text()).toContain('You get these mails again')
  expect((await mailOf(await emit())).status).toBe('pending')
  for (const wrong of [path.slice(0, -2), '/mails/stop/x']) expect((await fetch(server.url + wrong)).status).toBe(404)
})

test('on plain http no one-click is offered', async () => {
  const { server, smtp, emit } = await setUp()
  await emit()
  await server.runtime.mailer.pass()
  expect(smtp.received[0]!.source).not.toMatch(/list-unsubscribe-post/i)
})

test('a mail server that puts mails off is tried again, and every try stands in the log', async () => {
  let tries = 0
  const { server, smtp, emit, mailOf } = await setUp({
    smtp: { onRcptTo: (_to, _session, done) => done(++tries === 1 ? reply(451, '4.3.0 later, please') : undefined) },
  })
  const id = await emit()
  await server.runtime.mailer.pass()
  const waiting = await mailOf(id)
  expect(waiting).toMatchObject({
    status: 'retrying',
    reason: 'mail_put_off',
    nextAttemptAt: '2026-06-01T12:01:00.000Z',
    attempts: [{ number: 1, outcome: 'mail_put_off', status: 451, response: { body: '451 4.3.0 later, please' } }],
  })
  server.clock.pass(60)
  await server.runtime.mailer.pass()
  expect(await mailOf(id)).toMatchObject({ status: 'delivered', tries: 2, attempts: [{ number: 1 }, { number: 2 }] })
  expect(smtp.received).toHaveLength(1)
})

test('a mailbox that does not exist is skipped, the next mail to it too, and each says why', async () => {
  const { server, emit, mailOf } = await setUp({
    smtp: { onRcptTo: (_to, _session, done) => done(reply(550, '5.1.1 no such mailbox')) },
  })
  const [first, second] = [await emit(), await emit()]
  await server.runtime.mailer.pass()
  expect(await mailOf(first)).toMatchObject({ status: 'skipped', reason: 'mail_bounced' })
  await server.runtime.mailer.pass()
  const third = await emit()
  await server.runtime.mailer.pass()
  for (const id of [second, third]) expect((await mailOf(id)).reason).toMatch(/^mail_(bounced|suppressed)$/)
  expect(await mailOf(third)).toMatchObject({ status: 'skipped', reason: 'mail_suppressed', attempts: [] })
  const hash = server.runtime.vault.hash('ada@example.org', 'emails.to')
  expect(await findSuppression(server.runtime.db, hash, server.clock.now)).toBeDefined()
})

test('a mail that comes back days later is no longer called delivered', async () => {
  const { server, emit, mailOf } = await setUp()
  const [bad, full] = [await emit(), await emit()]
  await server.runtime.mailer.pass()
  expect((await mailOf(bad)).status).toBe('delivered')
  const client = consoleClient(server, bearer(await operatorToken(server)))
  const { items } = await client.emails.list.query({})
  const row = async (event: string) => {
    const { deliveries } = await client.notifications.get.query({ id: event })
    const id = items.find((mail) => mail.id === deliveries[0]!.emailId)!.id
    return (await findEmail(server.runtime.db, server.runtime.vault.ids.parse('eml', id)!))!
  }
  await noteBounce(server.runtime, cliActor, await row(full), { status: '4.2.2', detail: 'mailbox full' })
  await noteBounce(server.runtime, cliActor, await row(bad), { status: '5.1.1', detail: 'no such mailbox' })
  expect(await mailOf(full)).toMatchObject({ status: 'dead', reason: 'mail_undeliverable', tries: 2 })
  expect(await mailOf(bad)).toMatchObject({ status: 'skipped', reason: 'mail_bounced' })
  expect((await mailOf(bad)).attempts.at(-1)).toMatchObject({
    outcome: 'mail_bounced',
    response: { body: '5.1.1 no such mailbox' },
  })
})

test('without a mail server mails are kept, and one that is sent again later settles the same delivery', async () => {
  const { server, emit, mailOf } = await setUp({ env: { SMTP_URL: '' } })
  const id = await emit()
  await server.runtime.mailer.pass()
  expect(await mailOf(id)).toMatchObject({ status: 'skipped', reason: 'mail_kept' })
  const client = consoleClient(server, bearer(await operatorToken(server)))
  const { items } = await client.emails.list.query({ kind: 'event' })
  expect(items).toMatchObject([{ kind: 'event', subject: 'Sent ONE', to: 'ada@example.org', test: false }])
  const detail = await client.notifications.get.query({ id })
  expect(detail.deliveries[0]!.emailId).toBe(items[0]!.id)
  await client.emails.resend.mutate({ id: items[0]!.id })
  expect((await mailOf(id)).status).toBe('pending')
  await server.runtime.mailer.pass()
  expect(await mailOf(id)).toMatchObject({ status: 'skipped', reason: 'mail_kept' })
})

test('a mail is replayed from the log as a new one, and not to whom has stopped such mails since', async () => {
  const { server, smtp, emit, mailOf, token } = await setUp()
  const [first, second] = [await emit(), await emit()]
  await server.runtime.mailer.pass()
  expect(smtp.received).toHaveLength(2)
  const client = consoleClient(server, bearer(await operatorToken(server)))
  const filter = { channel: 'email' } as const
  expect(await client.notifications.count.query(filter)).toEqual({ count: 2, capped: false, replayable: 2 })
  expect(await client.notifications.replay.mutate({ id: first })).toEqual({ replayed: 1 })
  expect(await mailOf(first)).toMatchObject({ status: 'retrying', reason: null })
  // What is on its way is not doubled.
  expect(await client.notifications.replay.mutate({ id: first })).toEqual({ replayed: 0 })
  expect((await client.notifications.count.query(filter)).replayable).toBe(1)
  await server.runtime.mailer.pass()
  expect(await mailOf(first)).toMatchObject({ status: 'delivered', tries: 2, attempts: [{ number: 1 }, { number: 2 }] })
  expect(smtp.received).toHaveLength(3)
  const ids = smtp.received.map(({ source }) => /^message-id: (.*)$/im.exec(source)![1])
  expect(new Set(ids).size).toBe(3)

  const replayed = { filter, expectedCount: 2 }
  expect(await client.notifications.replayMany.mutate(replayed)).toEqual({ replayed: 2 })
  await server.runtime.mailer.pass()
  expect(smtp.received).toHaveLength(5)
  await call(server, 'PUT', preferences, { token, body: { transactions: { email: false } } })
  expect(await client.notifications.replayMany.mutate(replayed)).toEqual({ replayed: 0 })
  expect(await client.notifications.replay.mutate({ id: second })).toEqual({ replayed: 0 })
  expect((await mailOf(second)).status).toBe('delivered')
})

test('the channel is off until an app switches it on', async () => {
  const { server } = await setUp()
  const app: App = await brandedApp(server, { name: 'Quiet' })
  const key = await newApiKey(server, app)
  await signInWithEmail(server, app, 'ada@example.org', { subject: 'ada' })
  const id = (await post(server, app, key, { ...sent, user: 'ada' })).body['id'] as string
  const { body } = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
  expect((body['deliveries'] as Owed[]).map(({ channel }) => channel)).toEqual(['inbox'])
})
