import { expect, test } from 'vitest'
import { eventsOf } from '../../server/delivery/store.ts'
import { readDeliveryStatus } from '../../server/email/deliveryStatus.ts'
import { verdictOf } from '../../server/email/verdict.ts'
import { brandedApp, mailRow, queueMail, someUser } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { startSmtp, type Received } from '../support/smtp.ts'

/** What Postfix sends back for a mail; `fields` replace those of the recipient. */
function notification(
  returned: string,
  fields: Record<string, string> = {},
  more: { about?: string; type?: string } = {},
) {
  const recipient = {
    'Final-Recipient': 'rfc822; ada@example.org',
    'Original-Recipient': 'rfc822;ada@example.org',
    Action: 'failed',
    Status: '5.1.1',
    'Remote-MTA': 'dns; mx.example.org',
    'Diagnostic-Code': 'smtp; 550 5.1.1 <ada@example.org>: Recipient address\r\n    rejected: User unknown',
    ...fields,
  }
  return [
    'Return-Path: <>',
    'From: MAILER-DAEMON@mail.quest.example (Mail Delivery System)',
    'To: bounces@quest.example',
    'Subject: Undelivered Mail Returned to Sender',
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="4D1.1/mail"',
    '',
    'This is a MIME-encapsulated message.',
    '--4D1.1/mail',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'I’m sorry to have to inform you that your message could not be delivered.',
    '--4D1.1/mail',
    'Content-Description: Delivery report',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mail.quest.example',
    ...(more.about ? [`Original-Envelope-Id: ${more.about}`] : []),
    'Arrival-Date: Mon,  1 Jun 2026 12:00:00 +0000 (UTC)',
    '',
    ...Object.entries(recipient).map(([name, value]) => `${name}: ${value}`),
    '',
    '--4D1.1/mail',
    `Content-Type: ${more.type ?? 'message/rfc822'}`,
    '',
    returned,
    '--4D1.1/mail--',
    '',
  ].join('\r\n')
}

const headersOf = ({ source }: Received) => source.slice(0, source.indexOf('\r\n\r\n') + 4)

async function sentMail(env: Record<string, string> = {}) {
  const smtp = await startSmtp()
  const server = await startServer({ env: { SMTP_URL: smtp.url, ...env } })
  const app = await brandedApp(server)
  const userId = await someUser(server, app)
  const token = await operatorToken(server)
  const ask = (method: string, path: string, body?: object) =>
    call(server, method, `/api/v1${path}`, { token, ...(body && { body }) })
  const send = async (to = 'ada@example.org') => {
    const id = await queueMail(server, { app, userId, kind: 'signature_updated', to })
    await server.runtime.mailer.pass()
    return id
  }
  const body = { url: 'https://hooks.example.com/mail', types: ['email.bounced'] }
  expect((await ask('POST', `/apps/${app.publicId}/webhooks`, body)).status).toBe(201)
  const id = await send()
  return { server, app, smtp, ask, send, id, ref: server.runtime.vault.ids.seal('eml', id), mail: smtp.received[0]! }
}

test('a notification that comes back later closes the address and tells the app, once', async () => {
  const { server, ask, send, id, ref, mail } = await sentMail()
  expect(await mailRow(server, id)).toMatchObject({ status: 'sent' })
  const message = notification(mail.source)
  const told = await ask('POST', '/emails/bounces', { message })
  expect([told.status, told.body]).toEqual([200, { emailId: ref, outcome: 'bounced' }])
  expect(await mailRow(server, id)).toMatchObject({ status: 'bounced', reason: 'address_refused' })
  const { body: shown } = await ask('GET', `/emails/${ref}`)
  expect(shown['attempts']).toMatchObject([{ outcome: 'sent' }, { outcome: 'returned' }])
  expect(shown['detail']).toBe('5.1.1 550 5.1.1 <…>: Recipient address rejected: User unknown')

  expect((await ask('POST', '/emails/bounces', { message })).body).toMatchObject({ outcome: 'known' })
  const events = [...(await eventsOf(server.runtime.db, [1, 2])).values()]
  expect(events.map(({ type }) => type)).toEqual(['email.bounced'])
  expect((await ask('GET', '/audit?action=email.bounce')).body['items']).toHaveLength(1)
  expect(await mailRow(server, await send())).toMatchObject({ status: 'suppressed' })
  expect(server.logged()).not.toContain('ada@')
})

test('many at once about one mail are one', async () => {
  const { server, ask, mail } = await sentMail()
  const message = notification(mail.source)
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('POST', '/emails/bounces', { message })))
  expect(answers.map(({ body }) => body['outcome']).sort()).toEqual(['bounced', ...Array<string>(19).fill('known')])
  expect((await eventsOf(server.runtime.db, [1, 2])).size).toBe(1)
})

test.each([
  ['the headers alone', (mail: Received) => notification(headersOf(mail), {}, { type: 'text/rfc822-headers' })],
  ['the envelope’s id alone', (mail: Received, ref: string) => notification('Subject: x\r\n', {}, { about: ref })],
  ['line feeds', (mail: Received) => notification(mail.source).replaceAll('\r\n', '\n')],
  [
    'another case',
    (mail: Received) =>
      notification(mail.source).replace(/^(Action|Status|Final-Recipient):/gm, (name) => name.toUpperCase()),
  ],
  ['no diagnostic', (mail: Received) => notification(mail.source, { 'Diagnostic-Code': '' })],
])('a mail is recognised by %s', async (_what, write) => {
  const { ask, ref, mail } = await sentMail()
  const told = await ask('POST', '/emails/bounces', { message: write(mail, ref) })
  expect(told.body).toEqual({ emailId: ref, outcome: 'bounced' })
})

test('what may pass lets the address rest for a week, and what was not wanted says nothing of it', async () => {
  const { server, ask, send, smtp } = await sentMail()
  const [full, unwanted] = [await send('full@example.org'), await send('spam@example.org')]
  const source = (to: string) => smtp.received.find((mail) => mail.to[0] === to)!.source
  const late = notification(source('full@example.org'), { Status: '4.4.7', 'Diagnostic-Code': 'smtp; 451 4.2.2 full' })
  const spam = notification(source('spam@example.org'), { Status: '5.7.1', 'Diagnostic-Code': 'smtp; 554 5.7.1 spam' })
  for (const message of [late, spam])
    expect((await ask('POST', '/emails/bounces', { message })).body).toMatchObject({ outcome: 'failed' })
  expect(await mailRow(server, full)).toMatchObject({ status: 'failed', reason: 'undeliverable' })
  expect(await mailRow(server, unwanted)).toMatchObject({ status: 'failed', reason: 'mail_refused' })
  expect((await eventsOf(server.runtime.db, [1])).size).toBe(0)
  const { items } = (await ask('GET', '/email-suppressions')).body as any
  expect(items).toMatchObject([{ address: 'f••@example.org', until: '2026-06-08T12:00:00.000Z' }])
  server.clock.pass(7 * 86_400)
  expect(await mailRow(server, await send('full@example.org'))).toMatchObject({ status: 'sent' })
})

test('a delay is no bounce', async () => {
  const { server, ask, id, mail } = await sentMail()
  const message = notification(mail.source, { Action: 'delayed', Status: '4.4.1' })
  expect((await ask('POST', '/emails/bounces', { message })).body).toMatchObject({ outcome: 'ignored' })
  expect(await mailRow(server, id)).toMatchObject({ status: 'sent' })
})

test('a message that names no mail of ours closes nothing, whatever address it names', async () => {
  const { server, ask, id, ref, mail } = await sentMail()
  const other = server.runtime.vault.ids.seal('eml', id + 1)
  const junk: [string, number][] = [
    ['hello', 400],
    [mail.source, 400],
    [notification('Subject: x\r\n'), 400],
    [notification('Message-ID: <eml_nobody@quest.example>\r\n'), 404],
    [notification('Subject: x\r\n', {}, { about: other }), 404],
    [notification('Subject: x\r\n', { Status: 'broken' }, { about: ref }), 400],
    [notification(`Subject: ${ref}\r\n\r\nMessage-ID: <${ref}@x>\r\n`), 400],
    [
      'Content-Type: multipart/report; boundary=b\r\n\r\n'.concat(
        '--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'.repeat(2_000),
      ),
      400,
    ],
    ['\0'.repeat(1_000), 400],
  ]
  for (const [message, status] of junk)
    expect([message.slice(0, 60), (await ask('POST', '/emails/bounces', { message })).status]).toEqual([
      message.slice(0, 60),
      status,
    ])
  expect(await mailRow(server, id)).toMatchObject({ status: 'sent' })
  expect((await ask('GET', '/email-suppressions')).body['items']).toEqual([])
})

test('mail services report by the mail’s id; nobody reports for an app alone or without the right', async () => {
  const { server, app, ask, ref } = await sentMail()
  const report = { status: '5.1.1', detail: 'mailbox ada@example.org unknown' }
  for (const [role, apps] of [
    ['viewer', undefined],
    ['admin', [app.id]],
  ] as const) {
    const token = await operatorToken(server, role, `${role}2@example.com`, apps && [...apps])
    for (const [path, body] of [
      [`/emails/${ref}/bounce`, report],
      ['/emails/bounces', { message: 'x' }],
    ] as const)
      expect((await call(server, 'POST', `/api/v1${path}`, { token, body })).status).toBe(403)
  }
  for (const status of ['2.1.1', '5', '5.1.1 x', ''])
    expect((await ask('POST', `/emails/${ref}/bounce`, { status })).status).toBe(400)
  const told = await ask('POST', `/emails/${ref}/bounce`, report)
  expect(told.body).toEqual({ emailId: ref, outcome: 'bounced' })
  expect((await ask('GET', `/emails/${ref}`)).body['detail']).toBe('5.1.1 mailbox … unknown')
})

test('a mail that never left cannot come back', async () => {
  const server = await startServer()
  const id = await queueMail(server, { app: await brandedApp(server), kind: 'signature_updated' })
  const token = await operatorToken(server)
  const report = () =>
    call(server, 'POST', `/api/v1/emails/${server.runtime.vault.ids.seal('eml', id)}/bounce`, {
      token,
      body: { status: '5.1.1' },
    })
  expect((await report()).status).toBe(409)
  await server.runtime.mailer.pass()
  expect((await report()).status).toBe(409)
})

test('the envelope asks for notifications with our id, at the address that is set for them', async () => {
  const smtp = await startSmtp({ hideDSN: false })
  const server = await startServer({ env: { SMTP_URL: smtp.url, SMTP_RETURN_PATH: 'bounces@quest.example' } })
  const id = await queueMail(server, { app: await brandedApp(server), kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  expect(smtp.received).toMatchObject([{ from: 'bounces@quest.example', to: ['ada@example.org'] }])
  expect(smtp.received[0]!.parsed.from!.value[0]!.address).toBe('no-reply@quest.example')
  const ref = server.runtime.vault.ids.seal('eml', id)
  expect(smtp.received[0]!.dsn).toEqual({ ret: 'HDRS', envid: ref })
  await expect(startServer({ env: { SMTP_RETURN_PATH: 'nobody' } })).rejects.toThrow(
    'SMTP_RETURN_PATH is not a mail address',
  )
})

test.each([
  ['5.1.1', 'bad_address'],
  ['550 5.1.10 no such domain', 'bad_address'],
  ['5.1.7 sender', 'mail_refused'],
  ['5.1.8 sender', 'mail_refused'],
  ['5.2.1 closed', 'bad_address'],
  ['5.2.2 full', 'unreachable'],
  ['4.1.1', 'unreachable'],
  ['5.4.4', 'unreachable'],
  ['5.7.26 not authenticated', 'mail_refused'],
  ['5.3.4 too big', 'mail_refused'],
  ['2.0.0', undefined],
  ['550 from 192.5.1.1 refused', undefined],
  ['550 from 5.1.1.9 refused', undefined],
  ['', undefined],
])('%j says %s', (text, verdict) => expect(verdictOf(text)).toBe(verdict))

test('nothing of a message runs long', async () => {
  const report = 'Content-Type: multipart/report; boundary=b\r\n\r\n'
  const status = `${report}--b\r\nContent-Type: message/delivery-status\r\n\r\n`
  const hostile = [
    status + ': '.repeat(100_000),
    status + 'a: eml_'.repeat(30_000),
    status + ' \n'.repeat(120_000),
    report + '--b\r\n\r\n'.repeat(25_000),
    `${report}--b\r\nContent-Type: message/rfc822\r\n\r\n`.repeat(2_000),
    'a: b\r\n '.repeat(30_000),
    '\n'.repeat(250_000),
    'From: ' + '<'.repeat(200_000),
    'Subject: ' + '=?utf-8?q?x?= '.repeat(15_000),
    'Content-Type: text/html\r\n\r\n' + '<a href="'.repeat(25_000),
  ]
  for (const message of hostile) {
    const began = performance.now()
    expect(await readDeliveryStatus(message)).toBeUndefined()
    expect(performance.now() - began).toBeLessThan(2_000)
  }
})
