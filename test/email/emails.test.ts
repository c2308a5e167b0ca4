import { expect, test } from 'vitest'
import { brandedApp, queueMail, someUser } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram } from '../support/signIn.ts'
import { reply, startSmtp } from '../support/smtp.ts'
import { signInWithEmail } from '../support/sso.ts'
import { person } from '../support/telegram.ts'

async function setUp(env: Record<string, string> = {}) {
  const server = await startServer({ env })
  const app = await brandedApp(server)
  const token = await operatorToken(server)
  const ask = (method: string, path: string, body?: object) =>
    call(server, method, `/api/v1${path}`, { token, ...(body && { body }) })
  return { server, app, token, ask }
}

test('a code is covered everywhere until it is revealed, which is written down', async () => {
  const { server, app, ask } = await setUp()
  const userId = await someUser(server, app)
  await queueMail(server, { app, userId, kind: 'verification_code_reset_signature' })
  const queued = await ask('GET', '/emails')
  expect(queued.body['items']).toMatchObject([{ status: 'queued', subject: null }])
  await server.runtime.mailer.pass()
  const { body: list } = await ask('GET', '/emails')
  expect(list).toMatchObject({
    total: 1,
    items: [{ to: 'ada@example.org', status: 'kept', subject: 'Your code to reset your TON Quest signature' }],
  })
  const id = list['items'][0].id
  const { body: mail } = await ask('GET', `/emails/${id}`)
  expect(mail).toMatchObject({ covered: true, from: 'TON Quest Security <no-reply@quest.example>' })
  expect(mail['text']).toContain('••••••')
  expect(mail['headers']).toContainEqual({ name: 'Auto-Submitted', value: 'auto-generated' })
  expect(mail['source']).toContain(`Message-ID: <${id}@quest.example>`)
  expect(JSON.stringify([list, mail])).not.toContain('493817')

  const { body: revealed } = await ask('POST', `/emails/${id}/reveal`, {})
  for (const part of ['html', 'text', 'source']) expect(revealed[part]).toContain('493817')
  expect((await ask('GET', '/audit?action=email.reveal')).body['items']).toHaveLength(1)

  server.clock.pass(601)
  await server.runtime.mailer.pass()
  const { body: wiped } = await ask('POST', `/emails/${id}/reveal`, {})
  expect(JSON.stringify(wiped)).not.toContain('493817')
  expect(wiped).toMatchObject({ covered: false, status: 'kept' })
  expect(await ask('POST', `/emails/${id}/resend`, {})).toMatchObject({ status: 410, body: { code: 'gone' } })
})

test('viewers see no codes', async () => {
  const { server, app, ask } = await setUp()
  await queueMail(server, { app, kind: 'verification_code_link_account' })
  await server.runtime.mailer.pass()
  const id = (await ask('GET', '/emails')).body['items'][0].id
  const viewer = await operatorToken(server, 'viewer')
  for (const act of ['reveal', 'resend'])
    expect((await call(server, 'POST', `/api/v1/emails/${id}/${act}`, { token: viewer, body: {} })).status).toBe(403)
})

test('a mail is sent again as a new one, but not while it is on its way', async () => {
  const smtp = await startSmtp()
  const { server, app, ask } = await setUp({ SMTP_URL: smtp.url })
  await queueMail(server, { app, kind: 'signature_updated' })
  const first = (await ask('GET', '/emails')).body['items'][0].id
  expect((await ask('POST', `/emails/${first}/resend`, {})).status).toBe(409)
  await server.runtime.mailer.pass()
  const { body } = await ask('POST', `/emails/${first}/resend`, {})
  await server.runtime.mailer.pass()
  expect(smtp.received).toHaveLength(2)
  expect(smtp.received[0]!.parsed.messageId).not.toBe(smtp.received[1]!.parsed.messageId)
  expect((await ask('GET', `/emails/${body['emailId']}`)).body).toMatchObject({ status: 'sent', resendOf: first })
})

test('lists narrow by app, kind, state, address and time, page by page', async () => {
  const { server, app, ask } = await setUp()
  const other = await brandedApp(server, { slug: 'other', name: 'Other' })
  for (let n = 0; n < 5; n++) await queueMail(server, { app, kind: 'signature_updated', to: `p${n}@example.org` })
  await queueMail(server, { app: other, kind: 'signature_reset_failed', to: 'nobody' })
  const ids = async (query: string) => (await ask('GET', `/emails?${query}`)).body['items'].map((mail: any) => mail.to)
  expect(await ids(`appId=${other.publicId}`)).toEqual(['nobody'])
  expect(await ids('kind=signature_reset_failed')).toEqual(['nobody'])
  expect(await ids('status=failed')).toEqual(['nobody'])
  expect(await ids('q=P3@Example.org')).toEqual(['p3@example.org'])
  expect(await ids('from=2030-01-01T00:00:00Z')).toEqual([])
  const first = await ask('GET', '/emails?limit=4')
  const next = await ask('GET', `/emails?limit=4&cursor=${first.body['nextCursor']}`)
  expect([...first.body['items'], ...next.body['items']]).toHaveLength(6)
  expect(next.body['nextCursor']).toBeNull()
})

test('operators of one app see its mails alone', async () => {
  const { server, app } = await setUp()
  const other = await brandedApp(server, { slug: 'other', name: 'Other' })
  await queueMail(server, { app, kind: 'signature_updated', to: 'mine@example.org' })
  await queueMail(server, { app: other, kind: 'signature_updated', to: 'theirs@example.org' })
  const token = await operatorToken(server, 'admin', 'one@example.com', [app.id])
  const { body } = await call(server, 'GET', '/api/v1/emails', { token })
  expect(body['items'].map((mail: any) => mail.to)).toEqual(['mine@example.org'])
  const all = await call(server, 'GET', '/api/v1/emails', { token: await operatorToken(server, 'viewer') })
  const foreign = all.body['items'].find((mail: any) => mail.to === 'theirs@example.org').id
  expect((await call(server, 'GET', `/api/v1/emails/${foreign}`, { token })).status).toBe(404)
  expect((await call(server, 'GET', '/api/v1/email-suppressions', { token })).status).toBe(403)
})

test('a suppressed address shows with its reason and gets mail again once it is lifted', async () => {
  let gone = true
  const smtp = await startSmtp({
    onRcptTo: (_to, _session, done) => done(gone ? reply(550, '5.1.1 no such mailbox') : undefined),
  })
  const { server, app, ask } = await setUp({ SMTP_URL: smtp.url })
  await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  const { items } = (await ask('GET', '/email-suppressions')).body as any
  expect(items).toMatchObject([
    { address: 'a••@example.org', reason: expect.stringContaining('no such mailbox'), until: null },
  ])
  expect((await ask('GET', '/email-suppressions?q=ADA@example.org')).body['items']).toHaveLength(1)
  expect((await ask('GET', '/email-suppressions?q=eve@example.org')).body['items']).toEqual([])
  gone = false
  expect((await ask('DELETE', `/email-suppressions/${items[0].id}`)).status).toBe(204)
  await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  expect(smtp.received).toHaveLength(1)
  expect((await ask('DELETE', `/email-suppressions/${items[0].id}`)).status).toBe(404)
  expect((await ask('GET', '/audit?action=email.unsuppress')).body['items']).toMatchObject([
    { target: { kind: 'suppression', label: 'a••@example.org' } },
  ])
})

test('the server is named without its password', async () => {
  const { ask, server } = await setUp({ SMTP_URL: 'smtps://mailer:s3cret-word@mail.example.com:465' })
  const { body } = await ask('GET', '/email-server')
  expect(body).toEqual({ delivers: true, host: 'mail.example.com:465', dkim: false })
  expect(server.logged()).not.toContain('s3cret-word')
})

test('a person who is erased leaves no mail behind', async () => {
  const { server, app, ask } = await setUp()
  const userId = await someUser(server, app)
  await queueMail(server, { app, userId, kind: 'signature_updated' })
  await ask('DELETE', `/users/${server.runtime.vault.ids.seal('usr', userId)}`)
  expect((await ask('GET', '/emails')).body['items']).toEqual([])
})

test('that mail to an address is held back is told to whom it belongs, and to nobody who merely wrote it down', async () => {
  const smtp = await startSmtp({ onRcptTo: (_to, _session, done) => done(reply(550, '5.1.1 no such mailbox')) })
  const { server, app } = await setUp({ SMTP_URL: smtp.url })
  await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  const heldOf = async (token: string) =>
    (await call(server, 'GET', '/v1/me/export', { token })).body['mailSuppressed'] as unknown
  const owner = await signInWithEmail(server, app, 'ada@example.org')
  expect(await heldOf(owner.accessToken)).toMatchObject({ reason: expect.stringContaining('no such mailbox') })
  const stranger = (await signInWithTelegram(server, app, person(5))).body['accessToken'] as string
  const body = { email: 'ada@example.org' }
  expect((await call(server, 'PATCH', '/v1/me', { token: stranger, body })).status).toBe(200)
  expect(await heldOf(stranger)).toBeNull()
})
