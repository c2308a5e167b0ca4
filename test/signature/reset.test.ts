import { expect, test } from 'vitest'
import { dumpDatabase } from '../support/dump.ts'
import { freshDatabase } from '../support/database.ts'
import { confirmReset } from '../../server/signature/confirm.ts'
import { verifyAccess } from '../../server/token/verifyAccess.ts'
import { local, newEndpoint } from '../support/events.ts'
import { codeTo, mailsOf, otherThan, sentMails } from '../support/mails.ts'
import { operatorToken } from '../support/operator.ts'
import { startPair } from '../support/pair.ts'
import { startReceiver } from '../support/receiver.ts'
import { refusalOf } from '../support/refusal.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { pin, signatureCalls } from '../support/signature.ts'
import { signInWithEmail } from '../support/sso.ts'
import { person } from '../support/telegram.ts'

const outcome = ({ status, body }: Answer) => [status, body['code']]
const mailbox = 'alice@example.com'
const resetMail = `verification_code_reset_signature ${mailbox}`

async function withSignature(server: TestServer, email = mailbox) {
  const app = await telegramApp(server, {
    slug: `app-${email.split('@')[0]}`,
    sessionPolicy: { accessTokenTtl: 86_400, maxConcurrentSessions: 3 },
  })
  const login = await signInWithEmail(server, app, email)
  const calls = signatureCalls(server, login.accessToken)
  await calls.set({ signature: pin })
  return { app, token: login.accessToken, again: () => signInWithEmail(server, app, email), ...calls }
}

test('a forgotten signature is set anew by the code that is mailed', async () => {
  const server = await startServer()
  const { reset, confirm, verify, token } = await withSignature(server)
  const asked = await reset()
  expect([asked.status, asked.body]).toEqual([202, { expiresIn: 600 }])
  const [mail] = await mailsOf(server)
  expect(mail).toMatchObject({
    kind: 'verification_code_reset_signature',
    to: mailbox,
    locale: 'en',
    status: 'queued',
    facts: { ip: '127.0.0.1' },
  })
  expect(mail!.code).toMatch(/^\d{6}$/)
  expect(mail!.expiresAt).toEqual(new Date(server.clock.now.getTime() + 600_000))

  const code = mail!.code!
  const typed = `${code.slice(0, 3)} ${code.slice(3)}`
  const done = await confirm({ code: typed, newSignature: 'correct horse' })
  expect([done.status, done.body]).toEqual([204, { text: '' }])
  expect(await sentMails(server)).toEqual([resetMail, `signature_updated ${mailbox}`])
  expect((await verify({ signature: 'correct horse' })).status).toBe(200)
  expect(outcome(await verify({ signature: pin }))).toEqual([403, 'signature_wrong'])
  // The code was for one use, and sessions live on.
  expect(outcome(await confirm({ code, newSignature: 'once more' }))).toEqual([400, 'code_invalid'])
  expect((await checkSession(server, token)).status).toBe(200)
})

test('a reset lifts the lock of wrong signatures', async () => {
  const server = await startServer()
  const { reset, confirm, verify } = await withSignature(server)
  for (let at = 0; at < 5; at++) await verify({ signature: 'wrong one' })
  expect((await verify({ signature: pin })).status).toBe(423)
  await reset()
  expect((await confirm({ code: await codeTo(server, mailbox), newSignature: '1379' })).status).toBe(204)
  expect((await verify({ signature: '1379' })).status).toBe(200)
})

test('a code lives ten minutes, and only the newest', async () => {
  const server = await startServer()
  const { reset, confirm } = await withSignature(server)
  await reset()
  const first = await codeTo(server, mailbox)
  server.clock.pass(599)
  await reset()
  const second = await codeTo(server, mailbox)
  if (first !== second) expect((await confirm({ code: first, newSignature: '1379' })).body['code']).toBe('code_invalid')
  server.clock.pass(600)
  expect((await confirm({ code: second, newSignature: '1379' })).body).toMatchObject({ code: 'code_invalid' })
  await reset()
  expect((await confirm({ code: await codeTo(server, mailbox), newSignature: '1379' })).status).toBe(204)
})

test('the fifth wrong code ends the reset and all sessions, and everybody is told', async () => {
  const server = await startServer({ env: local })
  const receiver = await startReceiver()
  const { app, reset, confirm, token, again } = await withSignature(server)
  await newEndpoint(server, app, receiver.url, { types: ['user.logout'] })
  const other = await again()
  const bob = await signInWithEmail(server, app, 'bob@example.com')
  await reset()
  const code = await codeTo(server, mailbox)
  for (let left = 4; left > 0; left--) {
    const wrong = await confirm({ code: otherThan(code, left), newSignature: '1379' })
    expect(wrong.body).toMatchObject({ status: 400, code: 'code_invalid', triesLeft: left })
  }
  const fifth = await confirm({ code: otherThan(code, 5), newSignature: '1379' })
  expect([...outcome(fifth), fifth.headers.get('retry-after')]).toEqual([423, 'locked', '3600'])
  expect(await sentMails(server)).toEqual([resetMail, `signature_reset_failed ${mailbox}`])
  for (const dead of [token, other.accessToken])
    expect((await checkSession(server, dead)).body).toMatchObject({
      status: 401,
      code: 'session_revoked',
      reason: 'signature_reset_failed',
    })
  expect((await checkSession(server, bob.accessToken)).status).toBe(200)

  // Who signs in again can neither go on with that code nor get another for an hour.
  const back = await again()
  const calls = signatureCalls(server, back.accessToken)
  expect(outcome(await calls.confirm({ code, newSignature: '1379' }))).toEqual([423, 'locked'])
  expect(outcome(await calls.reset())).toEqual([423, 'locked'])
  expect((await calls.state()).body['resetLockedUntil']).toBe(
    new Date(server.clock.now.getTime() + 3_600_000).toISOString(),
  )
  expect((await calls.verify({ signature: pin })).status).toBe(200)
  server.clock.pass(3_600)
  expect(outcome(await calls.confirm({ code, newSignature: '1379' }))).toEqual([400, 'code_invalid'])
  expect((await calls.reset()).status).toBe(202)

  await server.runtime.outbox.pass()
  const told = receiver.received.map(({ json }) => json)
  expect(told).toHaveLength(2)
  for (const { data } of told) {
    expect(data.op).toBe('user.logout')
    expect(data.content).toMatchObject({ reason: 'signature_reset_failed' })
  }
})

test('asking for new codes brings no new tries', async () => {
  const server = await startServer()
  const { reset, confirm } = await withSignature(server)
  await reset()
  const wrong = async () => confirm({ code: otherThan(await codeTo(server, mailbox)), newSignature: '1379' })
  for (const left of [4, 3]) expect((await wrong()).body['triesLeft']).toBe(left)
  await reset()
  for (const left of [2, 1]) expect((await wrong()).body['triesLeft']).toBe(left)
  await reset()
  expect(outcome(await wrong())).toEqual([423, 'locked'])
})

test('of a hundred guesses at once, over two servers, five are judged, and the reset fails once', async () => {
  const { one, two } = await startPair()
  const { reset, confirm, token } = await withSignature(one)
  await reset()
  const code = await codeTo(one, mailbox)
  const there = signatureCalls(two, token)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      (at % 2 ? confirm : there.confirm)({ code: otherThan(code, at + 1), newSignature: '1379' }),
    ),
  )
  const count = (status: number) => answers.filter((answer) => answer.status === status).length
  expect([count(204), count(400)]).toEqual([0, 4])
  // The rest found it locked, or their session ended.
  expect(count(423) + count(401)).toBe(96)
  expect(count(423)).toBeGreaterThan(0)
  const mails = await sentMails(one)
  expect(mails.filter((mail) => mail.startsWith('signature_reset_failed'))).toHaveLength(1)
})

test('of a hundred right codes at once one sets the signature, and nothing is locked', async () => {
  const { one, two } = await startPair()
  const { reset, confirm, token, verify } = await withSignature(one)
  await reset()
  const code = await codeTo(one, mailbox)
  const there = signatureCalls(two, token)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      (at % 2 ? confirm : there.confirm)({ code, newSignature: `signature ${at}` }),
    ),
  )
  const made = answers.flatMap(({ status }, at) => (status === 204 ? [at] : []))
  expect(made).toHaveLength(1)
  expect(answers.filter(({ body }) => body['code'] === 'code_invalid')).toHaveLength(99)
  expect((await verify({ signature: `signature ${made[0]}` })).status).toBe(200)
})

test('the code of one person is nothing to another', async () => {
  const server = await startServer()
  const [alice, bob] = [await withSignature(server), await withSignature(server, 'bob@example.com')]
  await alice.reset()
  const code = await codeTo(server, mailbox)
  expect(outcome(await bob.confirm({ code, newSignature: '1379' }))).toEqual([400, 'code_invalid'])
  await bob.reset()
  if (code !== (await codeTo(server, 'bob@example.com')))
    expect(outcome(await bob.confirm({ code, newSignature: '1379' }))).toEqual([400, 'code_invalid'])
  expect((await alice.confirm({ code, newSignature: '1379' })).status).toBe(204)
})

test('whoever writes another address into the profile gets no code there', async () => {
  const server = await startServer()
  const { reset, confirm, token, verify, set } = await withSignature(server)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'thief@example.com' } })
  expect((await reset()).status).toBe(202)
  expect(await sentMails(server)).toEqual([resetMail])
  for (let at = 0; at < 2; at++) await confirm({ code: otherThan(await codeTo(server, mailbox)), newSignature: '1379' })
  await set({ signature: '1379', currentSignature: pin })
  expect((await sentMails(server)).join()).not.toContain('thief')

  // The one who knows the signature may say that the new address is theirs.
  expect((await verify({ signature: '1379', useEmail: true })).status).toBe(200)
  await reset()
  expect((await mailsOf(server)).at(-1)).toMatchObject({ to: 'thief@example.com' })
})

test('a code that was asked for before there was a signature does not reset the one set since', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const { accessToken: token } = (await signInWithTelegram(server, app)).body as { accessToken: string }
  const { set, reset, confirm, verify } = signatureCalls(server, token)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'thief@example.com' } })
  await reset()
  const code = await codeTo(server, 'thief@example.com')
  await call(server, 'PATCH', '/v1/me', { token, body: { email: mailbox } })
  await set({ signature: pin })
  expect(outcome(await confirm({ code, newSignature: '1379' }))).toEqual([400, 'code_invalid'])
  expect((await verify({ signature: pin })).status).toBe(200)
})

test('an address that was there when the signature was set serves, though no login vouches for it', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const { accessToken: token } = (await signInWithTelegram(server, app)).body as { accessToken: string }
  const { set, reset, confirm } = signatureCalls(server, token)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: mailbox, language: 'de' } })
  await set({ signature: pin })
  await reset()
  expect((await confirm({ code: await codeTo(server, mailbox), newSignature: '1379' })).status).toBe(204)
  expect((await mailsOf(server)).map(({ kind, locale }) => `${kind} ${locale}`)).toEqual([
    'verification_code_reset_signature de',
    'signature_updated de',
  ])
  // Who has the code reads the mailbox.
  const me = await call(server, 'GET', '/v1/me', { token })
  expect(me.body).toMatchObject({ email: mailbox, emailVerified: true })
})

test('a code vouches for no address but the one that it was mailed to', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const { accessToken: token } = (await signInWithTelegram(server, app)).body as { accessToken: string }
  const { set, reset, confirm } = signatureCalls(server, token)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: mailbox } })
  await set({ signature: pin })
  await reset()
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'victim@example.com' } })
  expect((await confirm({ code: await codeTo(server, mailbox), newSignature: '1379' })).status).toBe(204)
  const me = await call(server, 'GET', '/v1/me', { token })
  expect(me.body).toMatchObject({ email: 'victim@example.com', emailVerified: false })
})

test('without an address the answers are the same, and no code is right', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const login = await signInWithTelegram(server, app, person(3))
  const { set, reset, confirm } = signatureCalls(server, login.body['accessToken'])
  await set({ signature: pin })
  const asked = await reset()
  expect([asked.status, asked.body]).toEqual([202, { expiresIn: 600 }])
  for (let left = 4; left > 0; left--) {
    const wrong = await confirm({ code: `00000${left}`, newSignature: '1379' })
    expect(wrong.body).toMatchObject({ status: 400, code: 'code_invalid', triesLeft: left })
  }
  expect(outcome(await confirm({ code: '000000', newSignature: '1379' }))).toEqual([423, 'locked'])
  expect(await sentMails(server)).toEqual([])
})

test('codes are limited for a person, and for a mailbox whoever asks', async () => {
  const server = await startServer()
  const { reset } = await withSignature(server)
  const statuses = []
  for (let at = 0; at < 6; at++) statuses.push((await reset()).status)
  expect(statuses).toEqual([202, 202, 202, 202, 202, 429])
  const refused = await reset()
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_500)

  const app = await telegramApp(server, { slug: 'bombers' })
  const bombed = []
  for (let at = 0; at < 12; at++) {
    const { accessToken: token } = (await signInWithTelegram(server, app, person(100 + at))).body as {
      accessToken: string
    }
    await call(server, 'PATCH', '/v1/me', {
      token,
      body: { email: at % 2 ? 'Victim@Example.com' : 'victim@example.com' },
    })
    bombed.push((await signatureCalls(server, token).reset()).status)
  }
  expect(bombed).toEqual([...Array<number>(10).fill(202), 429, 429])
  // Somebody for whom a login vouches still gets theirs.
  const victim = await withSignature(server, 'victim@example.com')
  expect((await victim.reset()).status).toBe(202)
})

test('recovery questions come on top of the code', async () => {
  const server = await startServer()
  const { ask, reset, confirm, verify, state } = await withSignature(server)
  const questions = [
    { question: 'Where were you born?', answer: '  São   PAULO! ' },
    { question: '好きな色は?', answer: 'ブルー' },
  ]
  expect((await ask({ questions })).body).toMatchObject({ errors: [{ path: 'currentSignature' }] })
  expect(outcome(await ask({ questions, currentSignature: '1379' }))).toEqual([403, 'signature_wrong'])
  expect(await sentMails(server)).toEqual([])
  expect((await ask({ questions, currentSignature: pin })).status).toBe(204)
  expect(await sentMails(server)).toEqual([`recovery_questions_updated ${mailbox}`])
  expect((await state()).body['recoveryQuestions']).toEqual(['Where were you born?', '好きな色は?'])

  await reset()
  const code = await codeTo(server, mailbox)
  // The right code without the answers, or with some, is as wrong as a wrong one.
  for (const [answers, left] of [
    [undefined, 4],
    [['são paulo'], 3],
    [['ブルー', 'são paulo'], 2],
  ] as const) {
    const wrong = await confirm({ code, newSignature: '1379', ...(answers && { answers }) })
    expect(wrong.body).toMatchObject({ status: 400, code: 'code_invalid', triesLeft: left })
  }
  // And the answers without the code are nothing.
  const answers = ['sa\u0303o paulo', 'ﾌﾞﾙｰ']
  const noCode = await confirm({ code: otherThan(code), newSignature: '1379', answers })
  expect(noCode.body).toMatchObject({ code: 'code_invalid', triesLeft: 1 })
  expect((await confirm({ code, newSignature: '1379', answers })).status).toBe(204)
  expect((await verify({ signature: '1379' })).status).toBe(200)
})

test('wrong answers with the right code end the reset as wrong codes do', async () => {
  const server = await startServer()
  const { ask, reset, confirm, token } = await withSignature(server)
  await ask({ questions: [{ question: 'First pet?', answer: 'Rex' }], currentSignature: pin })
  await reset()
  const code = await codeTo(server, mailbox)
  const tries = Array.from({ length: 20 }, (_, at) => confirm({ code, newSignature: '1379', answers: [`pet ${at}`] }))
  const statuses = (await Promise.all(tries)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 400)).toHaveLength(4)
  expect(statuses).toContain(423)
  expect((await checkSession(server, token)).body['reason']).toBe('signature_reset_failed')
})

test('a person who is erased meanwhile is not brought back', async () => {
  const { one, two } = await startPair()
  const { reset, confirm, token } = await withSignature(one)
  await reset()
  const code = await codeTo(one, mailbox)
  const answers = await Promise.all([
    call(two, 'DELETE', '/v1/me', { token }),
    confirm({ code, newSignature: '1379' }),
    signatureCalls(two, token).set({ signature: 'x y z', currentSignature: pin }),
    signatureCalls(two, token).reset(),
  ])
  for (const { status } of answers) expect([202, 204, 401, 400, 403, 404, 409]).toContain(status)
  expect((await checkSession(one, token)).status).toBe(401)
})

test('operators see how a signature stands, and not what only its owner may know', async () => {
  const server = await startServer()
  const { ask, token, verify } = await withSignature(server)
  await ask({ questions: [{ question: 'First pet?', answer: 'Rex' }], currentSignature: pin })
  for (let at = 0; at < 5; at++) await verify({ signature: 'wrong one' })
  const { body: own } = await call(server, 'GET', '/v1/me', { token })
  const headers = { authorization: `Bearer ${await operatorToken(server, 'viewer')}` }
  const seen = await call(server, 'GET', `/api/v1/users/${own['id']}`, { headers })
  expect(seen.body['signature']).toEqual({
    set: true,
    changedAt: server.clock.now.toISOString(),
    email: mailbox,
    recoveryQuestions: 1,
    lockedUntil: new Date(server.clock.now.getTime() + 900_000).toISOString(),
    resetLockedUntil: null,
  })
  expect(JSON.stringify(seen.body)).not.toMatch(/pet|rex|argon2/i)
  const held = await call(server, 'GET', '/v1/me/export', { token })
  expect(held.body['signature']).toMatchObject({ set: true, email: mailbox, recoveryQuestions: ['First pet?'] })
  expect(JSON.stringify(held.body)).not.toMatch(/rex|argon2/i)
})

test('a try costs the same work whatever is right, and none without a code under way', async () => {
  const server = await startServer()
  const { ask, reset, token } = await withSignature(server)
  await ask({ questions: [{ question: 'First pet?', answer: 'Rex' }], currentSignature: pin })
  const access = await verifyAccess(server.runtime, token)
  const origin = { ip: '192.0.2.7', userAgent: undefined }
  const work = async (input: { code: string; answers: string[] }) => {
    const { vault } = server.runtime
    const hashed: string[] = []
    const counted = {
      ...server.runtime,
      vault: { ...vault, hash: (text: string, of: string) => (hashed.push(of.split(' ')[0]!), vault.hash(text, of)) },
    }
    const refusal = await refusalOf(confirmReset(counted, access, { ...input, newSignature: '1379' }, origin))
    return [refusal, ...hashed]
  }
  expect(await work({ code: '123456', answers: ['rex'] })).toEqual(['code_invalid'])
  await reset()
  const code = await codeTo(server, mailbox)
  // One for the new signature, one for the answers, one for the code; the first two go through argon2id as well.
  const all = ['signatures.secret', 'signatures.answers', 'codes']
  expect(await work({ code: otherThan(code), answers: ['max'] })).toEqual(['code_invalid', ...all])
  expect(await work({ code: otherThan(code), answers: ['rex'] })).toEqual(['code_invalid', ...all])
  expect(await work({ code, answers: ['max'] })).toEqual(['code_invalid', ...all])
  // A right one also owes the mail that tells of it.
  expect(await work({ code, answers: ['rex'] })).toEqual([undefined, ...all, 'emails.to'])
})

test('the audit log tells what happened to a signature, and no secret is anywhere', async () => {
  const databaseUrl = await freshDatabase()
  const server = await startServer({ databaseUrl, env: { LOG_LEVEL: 'trace' } })
  const { ask, reset, confirm } = await withSignature(server)
  const questions = [{ question: 'Secret question of mine', answer: 'Rumpelstiltskin' }]
  await ask({ questions, currentSignature: pin })
  await reset()
  const code = await codeTo(server, mailbox)
  const wrong = await confirm({ code: otherThan(code), newSignature: 'Tr0ub4dor and 3', answers: ['Rumpelstiltskin'] })
  const right = { code, newSignature: 'Tr0ub4dor and 3', answers: ['Rumpelstiltskin'] }
  expect((await confirm(right)).status).toBe(204)
  const authorization = `Bearer ${await operatorToken(server)}`
  const audit = await call(server, 'GET', '/api/v1/audit', { headers: { authorization } })
  const actions = audit.body['items'].map((item: { action: string }) => item.action)
  expect(actions).toEqual(expect.arrayContaining(['signature.set', 'signature.questions', 'signature.reset']))
  const shown = JSON.stringify([wrong.body, audit.body]) + server.logged()
  const dump = await dumpDatabase(databaseUrl)
  expect(dump).toContain('signature.reset')
  for (const secret of ['Tr0ub4dor', 'Rumpelstiltskin', mailbox]) {
    expect(shown.includes(secret), secret).toBe(false)
    expect(dump.includes(secret), secret).toBe(false)
  }
  expect(dump.includes('Secret question of mine')).toBe(false)
  expect(server.logged().includes(code)).toBe(false)
})
