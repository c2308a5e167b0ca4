import { generateKeyPairSync } from 'node:crypto'
import { dkimVerify } from 'mailauth'
import { expect, test } from 'vitest'
import { eventsOf } from '../../server/delivery/store.ts'
import { kinds } from '../../server/email/kinds.ts'
import { claimEmails, findSuppression, listAttempts, updateEmail } from '../../server/email/store.ts'
import { brandedApp, mailRow, queueMail, someUser } from '../support/mail.ts'
import { openPersonal } from '../../server/personal/seal.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { reply, startSmtp } from '../support/smtp.ts'

test('without SMTP_URL a mail is kept in the built-in inbox, and nothing leaves', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const id = await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  const row = await mailRow(server, id)
  expect(row).toMatchObject({ status: 'kept', reason: 'no_smtp' })
  expect(row.contentSealed!.toString('latin1')).not.toContain('TON Quest')
})

test('a server that is down for an hour loses no mail, and each arrives once', async () => {
  const first = await startSmtp()
  const port = Number(new URL(first.url).port)
  await first.stop()
  const server = await startServer({ env: { SMTP_URL: first.url } })
  const app = await brandedApp(server)
  const ids = []
  for (let minute = 0; minute < 60; minute++) {
    if (minute % 6 === 0)
      ids.push(await queueMail(server, { app, kind: 'signature_updated', to: `p${minute}@example.org` }))
    await server.runtime.mailer.pass()
    server.clock.pass(60)
  }
  for (const id of ids) expect(await mailRow(server, id)).toMatchObject({ status: 'queued', reason: 'put_off' })

  const back = await startSmtp({ port })
  for (let minute = 0; minute < 300; minute += 5) {
    await server.runtime.mailer.pass()
    server.clock.pass(300)
  }
  expect(back.received.map(({ to }) => to[0]).sort()).toEqual(ids.map((_, at) => `p${at * 6}@example.org`).sort())
  for (const id of ids) expect(await mailRow(server, id)).toMatchObject({ status: 'sent' })
})

test('tries come after 1, 5, 15, 60 and 240 minutes, then a mail has failed and its address rests for a week', async () => {
  const smtp = await startSmtp({ onRcptTo: (_to, _session, done) => done(reply(451, '4.2.1 try later')) })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const id = await queueMail(server, { app, kind: 'signature_updated' })
  const began = server.clock.now.getTime()
  const minutes: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    await server.runtime.mailer.pass()
    const { nextAt } = await mailRow(server, id)
    if (!nextAt) break
    minutes.push((nextAt.getTime() - began) / 60_000)
    server.clock.now = new Date(nextAt.getTime() - 1)
    await server.runtime.mailer.pass()
    expect((await mailRow(server, id)).nextAt).toEqual(nextAt)
    server.clock.now = nextAt
  }
  expect(minutes).toEqual([1, 6, 21, 81, 321])
  const row = await mailRow(server, id)
  expect(row).toMatchObject({ status: 'failed', reason: 'gave_up', tries: 6 })
  expect(await listAttempts(server.runtime.db, id)).toHaveLength(6)
  const suppression = await findSuppression(server.runtime.db, row.toHash, server.clock.now)
  expect(suppression?.until).toEqual(new Date(server.clock.now.getTime() + 7 * 86_400_000))
})

test('a mail dies with its code: nothing is sent after it, and the code is wiped', async () => {
  const smtp = await startSmtp({ onRcptTo: (_to, _session, done) => done(reply(451, '4.2.1 try later')) })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const id = await queueMail(server, { app, kind: 'verification_code_reset_signature' })
  for (let minute = 0; minute < 30; minute++) {
    await server.runtime.mailer.pass()
    server.clock.pass(60)
  }
  const row = await mailRow(server, id)
  expect(row).toMatchObject({ status: 'expired', reason: 'code_over', tries: 3, variablesSealed: null })
  const content = server.runtime.vault.open(row.contentSealed!, 'emails.content')
  expect(content).not.toContain('493817')
  expect(content).toContain('••••••')
})

test('a refused address bounces at once, is told to the app, and gets nothing more', async () => {
  const smtp = await startSmtp({
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('gone') ? reply(550, `5.1.1 <${address}> no such mailbox`) : undefined),
  })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const userId = await someUser(server, app)
  const token = await operatorToken(server)
  const body = { url: 'https://hooks.example.com/mail', types: ['email.bounced'] }
  expect((await call(server, 'POST', `/api/v1/apps/${app.publicId}/webhooks`, { token, body })).status).toBe(201)
  const id = await queueMail(server, { app, userId, kind: 'signature_updated', to: 'gone@example.org' })
  await server.runtime.mailer.pass()
  expect(await mailRow(server, id)).toMatchObject({ status: 'bounced', reason: 'address_refused', tries: 1 })
  const [attempt] = await listAttempts(server.runtime.db, id)
  expect(attempt).toMatchObject({ outcome: 'bounced', status: 550 })
  const [event] = [...(await eventsOf(server.runtime.db, [1])).values()]
  expect(event).toMatchObject({ type: 'email.bounced', userId })
  const { data } = JSON.parse(
    await openPersonal(server.runtime, server.runtime.db, event!.payloadSealed, 'events.payload'),
  ) as any
  expect(data.content).toMatchObject({ kind: 'signature_updated', reason: expect.stringContaining('no such mailbox') })
  expect(JSON.stringify(data)).not.toContain('gone@')
  expect(server.logged()).not.toContain('gone@')

  const next = await queueMail(server, { app, userId, kind: 'signature_updated', to: 'GONE@example.org' })
  const other = await queueMail(server, { app, userId, kind: 'signature_updated', to: 'here@example.org' })
  await server.runtime.mailer.pass()
  expect(await mailRow(server, next)).toMatchObject({ status: 'suppressed', tries: 1 })
  expect(await mailRow(server, other)).toMatchObject({ status: 'sent' })
  expect(smtp.received).toHaveLength(1)
})

test('a server that refuses the mail itself does not make the address a bad one', async () => {
  const smtp = await startSmtp({ onMailFrom: (_from, _session, done) => done(reply(550, '5.7.1 sender not allowed')) })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const id = await queueMail(server, { app, kind: 'signature_updated' })
  await server.runtime.mailer.pass()
  const row = await mailRow(server, id)
  expect(row).toMatchObject({ status: 'failed', reason: 'mail_refused' })
  expect(await findSuppression(server.runtime.db, row.toHash, server.clock.now)).toBeUndefined()
})

test('a connection that breaks after the mail was given away sends it no second time', async () => {
  let taken = 0
  const smtp = await startSmtp({
    onData(stream) {
      stream.on('end', () => {
        taken++
        smtp.cut()
      })
      stream.resume()
    },
  })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const id = await queueMail(server, { app, kind: 'verification_code_link_account' })
  await server.runtime.mailer.pass()
  expect(await mailRow(server, id)).toMatchObject({ status: 'unconfirmed', reason: 'no_answer' })
  server.clock.pass(300)
  await server.runtime.mailer.pass()
  expect(taken).toBe(1)
})

test('a mail that another process has taken meanwhile is broken off before its end, and the next one goes', async () => {
  let steal = () => Promise.resolve()
  const smtp = await startSmtp({ onRcptTo: (_to, _session, done) => void steal().then(() => done()) })
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const { db } = server.runtime
  const id = await queueMail(server, { app, kind: 'signature_updated', to: 'taken@example.org' })
  const leasedUntil = new Date(server.clock.now.getTime() + 600_000)
  steal = () => db.transaction((tx) => updateEmail(tx, id, { leasedUntil }))
  await server.runtime.mailer.pass()
  expect(smtp.received).toEqual([])
  expect(await mailRow(server, id)).toMatchObject({ status: 'sending', leasedUntil, handedAt: null })
  steal = () => Promise.resolve()
  await queueMail(server, { app, kind: 'signature_updated', to: 'next@example.org' })
  await server.runtime.mailer.pass()
  expect(smtp.received.map(({ to }) => to[0])).toEqual(['next@example.org'])
})

test('what a process that died had taken is sent again, unless it may have arrived', async () => {
  const smtp = await startSmtp()
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  const { db } = server.runtime
  const [early, late] = [
    await queueMail(server, { app, kind: 'signature_updated', to: 'early@example.org' }),
    await queueMail(server, { app, kind: 'signature_updated', to: 'late@example.org' }),
  ]
  const leasedUntil = new Date(server.clock.now.getTime() + 180_000)
  await db.transaction((tx) => claimEmails(tx, { now: server.clock.now, leasedUntil, limit: 8 }))
  await db.transaction((tx) => updateEmail(tx, late, { handedAt: server.clock.now }))
  await server.runtime.mailer.pass()
  expect(smtp.received).toEqual([])
  server.clock.pass(181)
  await server.runtime.mailer.pass()
  expect(smtp.received.map(({ to }) => to[0])).toEqual(['early@example.org'])
  expect(await mailRow(server, early)).toMatchObject({ status: 'sent' })
  expect(await mailRow(server, late)).toMatchObject({ status: 'unconfirmed', reason: 'process_died' })
})

test('with a DKIM key every mail is signed, and half of the settings stops the start', async () => {
  const smtp = await startSmtp()
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const SMTP_DKIM_KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const dkim = { SMTP_DKIM_DOMAIN: 'quest.example', SMTP_DKIM_SELECTOR: 'gatehouse', SMTP_DKIM_KEY }
  const server = await startServer({ env: { SMTP_URL: smtp.url, ...dkim } })
  const app = await brandedApp(server)
  for (const kind of kinds) await queueMail(server, { app, kind, locale: 'zh-CN' })
  await server.runtime.mailer.pass()
  // Another implementation, which is told of our key as by DNS.
  const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
  const resolver = (name: string) => Promise.resolve(name === 'gatehouse._domainkey.quest.example' ? [[record]] : [])
  const verdicts = async (source: string) =>
    (await dkimVerify(Buffer.from(source), { resolver })).results.map(({ status, signingDomain, signingHeaders }) => ({
      result: status.result,
      aligned: status.aligned,
      signingDomain,
      signs: signingHeaders?.keys,
    }))
  expect(smtp.received).toHaveLength(kinds.length)
  for (const { source } of smtp.received) {
    const [verdict, ...more] = await verdicts(source)
    expect(verdict).toMatchObject({ result: 'pass', aligned: 'quest.example', signingDomain: 'quest.example' })
    for (const header of ['From', 'To', 'Subject', 'Date', 'Message-ID', 'Reply-To', 'Content-Type'])
      expect(verdict!.signs).toMatch(new RegExp(`(^|: )${header}(:|$)`, 'i'))
    expect(more).toEqual([])
    expect(await verdicts(source.replace('Subject: ', 'Subject: x'))).toMatchObject([{ result: 'fail' }])
    expect(await verdicts(`${source.trimEnd()}x\r\n`)).not.toMatchObject([{ result: 'pass' }])
  }
  await expect(startServer({ env: { ...dkim, SMTP_DKIM_KEY: '' } })).rejects.toThrow('SMTP_DKIM_KEY is not set')
  await expect(startServer({ env: { ...dkim, SMTP_DKIM_KEY: 'x' } })).rejects.toThrow(
    'SMTP_DKIM_KEY is not a private key',
  )
})
