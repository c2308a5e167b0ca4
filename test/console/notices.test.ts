import { expect, test } from 'vitest'
import { createEndpoint } from '../../server/webhook/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { builtin } from '../../server/email/builtin.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, patchEndpoint, post, sent } from '../support/events.ts'
import { brandedApp, queueMail } from '../support/mail.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer } from '../support/server.ts'
import { startSmtp } from '../support/smtp.ts'

async function setUp() {
  const smtp = await startSmtp()
  const server = await startServer({ env: { ...local, SMTP_URL: smtp.url } })
  const app = await brandedApp(server, { name: 'TON Quest' })
  const other = await server.createApp({ name: 'Other' })
  const tokens = {
    owner: await operatorToken(server),
    admin: await operatorToken(server, 'admin', 'admin@example.com', [app.id]),
    stranger: await operatorToken(server, 'admin', 'stranger@example.com', [other.id]),
    viewer: await operatorToken(server, 'viewer'),
  }
  const notices = async (token: string) => (await consoleClient(server, bearer(token)).notices.list.query({})).items
  const told = async () => {
    await server.runtime.mailer.pass()
    return smtp.received.filter(({ parsed }) => parsed.from?.value[0]?.name === 'Gatehouse')
  }
  return { server, app, tokens, notices, told }
}

test.each([
  ['answers 410', 410, [0], 'It answered 410 Gone', 'answered 410 Gone'],
  [
    'takes nothing for five days',
    500,
    [0, 5 * 86_400],
    'It took nothing for five days',
    'has taken nothing for five days',
  ],
])(
  'an endpoint that %s is told of once, by mail and in the console, until it is on again',
  async (_, status, days, reason, why) => {
    const { server, app, tokens, notices, told } = await setUp()
    const receiver = await startReceiver()
    receiver.answer(status)
    const { row } = await createEndpoint(server.runtime, cliActor, app, { url: receiver.url, types: ['txn.*'] })
    const key = await newApiKey(server, app)
    for (const seconds of days) {
      server.clock.pass(seconds)
      await post(server, app, key, sent)
      await server.runtime.outbox.pass()
    }
    await post(server, app, key, sent)
    await server.runtime.outbox.pass()

    const mails = await told()
    expect(mails.map(({ to }) => to[0]).sort()).toEqual(['admin@example.com', 'owner@example.com'])
    const { parsed, source } = mails[0]!
    const host = new URL(receiver.url).host
    expect(parsed.subject).toBe(`TON Quest: the webhook to ${host} is off`)
    for (const part of [parsed.text!, parsed.html as string]) {
      expect(part).toContain(why)
      expect(part).toContain('Nothing is lost')
      expect(part).toContain(receiver.url)
    }
    const endpointId = server.runtime.vault.ids.seal('whe', row.id)
    expect(parsed.text).toContain(
      `http://localhost:3000/console/apps/${app.publicId}?tab=webhooks&endpoint=${endpointId}`,
    )
    expect(parsed.text).toMatch(/Held: [12] events?\n/)
    expect(source).not.toMatch(/list-unsubscribe/i)

    const expected = {
      kind: 'endpoint_disabled',
      app: { name: 'TON Quest' },
      subject: receiver.url,
      reason,
      endpointId,
    }
    for (const token of [tokens.owner, tokens.admin, tokens.viewer])
      expect(await notices(token)).toMatchObject([expected])
    expect(await notices(tokens.stranger)).toEqual([])
    expect((await call(server, 'GET', '/api/v1/notices', { token: tokens.owner })).body['items']).toMatchObject([
      expected,
    ])

    await patchEndpoint(server, app, row.id, { state: 'active' })
    expect(await notices(tokens.owner)).toEqual([])
  },
)

test('a template that falls back is told of once a day, by mail and in the console, until it is changed', async () => {
  const { server, app, tokens, notices, told } = await setUp()
  const kind = 'signature_updated'
  const path = `/api/v1/apps/${app.publicId}/email-templates/${kind}`
  const { subject, preheader, html, text } = builtin(kind, 'en')
  const named = (part: string) => part.replaceAll('{{ app.name }}', 'TON Quest')
  const content = { subject, preheader, html: named(html), text: named(text) }
  const ask = (method: string, body?: object) => call(server, method, path, { token: tokens.owner, body })
  expect((await ask('PUT', { content, publish: true, revision: 0 })).status).toBe(200)
  server.clock.pass(60)
  const body = { branding: { appName: 'Quest for TON' } }
  await call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, { token: tokens.owner, body })
  // Each an hour after the one before, so that the audit log has an entry for it.
  for (let hours = 0; hours < 3; hours++) {
    await queueMail(server, { app, kind })
    await server.runtime.mailer.pass()
    server.clock.pass(3601)
  }
  const mails = await told()
  expect(mails.map(({ to }) => to[0]).sort()).toEqual(['admin@example.com', 'owner@example.com'])
  expect(mails[0]!.parsed.subject).toBe('TON Quest: a mail template does not hold')
  expect(mails[0]!.parsed.text).toContain('Quest for TON')
  const notice = { kind: 'template_fallback', subject: 'signature updated, en', template: { kind, locale: 'en' } }
  expect(await notices(tokens.owner)).toMatchObject([notice])
  expect(await notices(tokens.stranger)).toEqual([])

  server.clock.pass(86_401)
  await queueMail(server, { app, kind })
  expect(await told()).toHaveLength(4)
  expect((await ask('DELETE')).status).toBe(204)
  expect(await notices(tokens.owner)).toEqual([])
})
