import { expect, test } from 'vitest'
import { sentMails } from '../support/mails.ts'
import { startPair } from '../support/pair.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { pin, signatureCalls } from '../support/signature.ts'
import { signInWithEmail } from '../support/sso.ts'
import { person } from '../support/telegram.ts'

const outcome = ({ status, body }: Answer) => [status, body['code']]
const mailbox = 'alice@example.com'

async function somebody(server: TestServer, email = mailbox) {
  const app = await telegramApp(server, {
    slug: `app-${email.split('@')[0]}`,
    sessionPolicy: { accessTokenTtl: 86_400 },
  })
  const login = await signInWithEmail(server, app, email)
  return { app, login, token: login.accessToken, ...signatureCalls(server, login.accessToken) }
}

test('a signature is set, shown to be known, and changed by who knows it', async () => {
  const server = await startServer()
  const { set, verify, state } = await somebody(server)
  expect((await state()).body).toEqual({
    set: false,
    changedAt: null,
    email: mailbox,
    recoveryQuestions: [],
    lockedUntil: null,
    resetLockedUntil: null,
  })
  expect(outcome(await verify({ signature: pin }))).toEqual([409, 'conflict'])
  const made = await set({ signature: pin })
  expect([made.status, made.body]).toEqual([204, { text: '' }])
  expect((await state()).body).toMatchObject({ set: true, changedAt: server.clock.now.toISOString() })
  expect((await verify({ signature: pin })).body).toEqual({ valid: true })

  const wrong = await verify({ signature: '2581' })
  expect(wrong.body).toMatchObject({ status: 403, code: 'signature_wrong', triesLeft: 4 })
  // The token is good, so nothing may tell a client to fetch another.
  expect(wrong.headers.get('www-authenticate')).toBeNull()

  const missing = await set({ signature: 'correct horse' })
  expect(missing.body).toMatchObject({ status: 400, errors: [{ path: 'currentSignature' }] })
  expect(outcome(await set({ signature: 'correct horse', currentSignature: '0852' }))).toEqual([403, 'signature_wrong'])
  expect((await verify({ signature: pin })).status).toBe(200)
  expect(await sentMails(server)).toEqual([])
  expect((await set({ signature: 'correct horse', currentSignature: pin })).status).toBe(204)
  expect(await sentMails(server)).toEqual([`signature_updated ${mailbox}`])
  expect(outcome(await verify({ signature: pin }))).toEqual([403, 'signature_wrong'])
  expect((await verify({ signature: 'correct horse' })).status).toBe(200)
})

test('the same characters in another form of Unicode are the same signature', async () => {
  const server = await startServer()
  const { set, verify } = await somebody(server)
  await set({ signature: 'Zoë’s café' })
  expect((await verify({ signature: 'Zoë’s café'.normalize('NFD') })).status).toBe(200)
})

test('what is no signature is refused, and nothing is half written', async () => {
  const server = await startServer()
  const { set, verify, ask, confirm, state, token } = await somebody(server)
  for (const body of [
    {},
    [],
    'null',
    { signature: 1234 },
    { signature: '123' },
    { signature: '0000' },
    { signature: 'x'.repeat(257) },
    { signature: [pin] },
    { signature: pin, userId: 'usr_1' },
    { signature: null },
    '{"__proto__":{"signature":"2580"}}',
  ])
    expect(outcome(await set(body)), JSON.stringify(body)).toEqual([400, 'invalid_request'])
  const question = { question: 'First pet?', answer: 'Rex' }
  for (const questions of [
    [],
    [{ question: 'x' }],
    [{ question: '', answer: 'Rex' }],
    [{ question: 'First pet?', answer: '?!' }],
    [{ question: 'a\nb', answer: 'Rex' }],
    [question, { question: ' first  PET', answer: 'Max' }],
    Array.from({ length: 6 }, (_, at) => ({ question: `${at}?`, answer: 'Rex' })),
    'First pet?',
  ])
    expect(outcome(await ask({ questions })), JSON.stringify(questions)).toEqual([400, 'invalid_request'])
  for (const code of ['12345', '1234567', 123456, '１２３４５６', 'abcdef', null])
    expect(outcome(await confirm({ code, newSignature: pin })), String(code)).toEqual([400, 'invalid_request'])
  expect(outcome(await call(server, 'POST', '/v1/me/signature/reset', { token, body: { email: 'a@b.c' } }))).toEqual([
    400,
    'invalid_request',
  ])
  expect((await state()).body).toMatchObject({ set: false, recoveryQuestions: [] })
  expect(outcome(await verify({ signature: pin }))).toEqual([409, 'conflict'])
  expect(await sentMails(server)).toEqual([])
})

test('nobody reaches the signature of another, or any without a token', async () => {
  const server = await startServer()
  const [alice, bob] = [await somebody(server), await somebody(server, 'bob@example.com')]
  await alice.set({ signature: pin })
  expect(outcome(await bob.verify({ signature: pin }))).toEqual([409, 'conflict'])
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['PUT', '', { signature: '1379', currentSignature: pin }],
    ['POST', '/verify', { signature: pin }],
    ['PUT', '/recovery-questions', { questions: [{ question: 'x?', answer: 'yy' }] }],
    ['POST', '/reset', {}],
    ['POST', '/reset/confirm', { code: '123456', newSignature: '1379' }],
  ] as const) {
    const answer = await call(server, method, `/v1/me/signature${path}`, { body })
    expect(outcome(answer), path).toEqual([401, 'token_invalid'])
    const named = await call(server, method, `/v1/me/signature${path}?userId=${alice.login.user.id}`, { body })
    expect(outcome(named), path).toEqual([401, 'token_invalid'])
  }
  for (const path of ['', '/verify', '/recovery-questions', '/reset', '/reset/confirm'])
    expect(outcome(await call(server, 'DELETE', `/v1/me/signature${path}`))).toEqual([405, 'method_not_allowed'])
})

test('five wrong signatures lock it on every way, for a right one too, and longer each time', async () => {
  const server = await startServer()
  const { set, verify, ask, state } = await somebody(server)
  await set({ signature: pin })
  const questions = [{ question: 'First pet?', answer: 'Rex' }]
  const tries = [
    () => verify({ signature: '1111x' }),
    () => set({ signature: '1379', currentSignature: '1112' }),
    () => ask({ questions, currentSignature: '1113' }),
    () => verify({ signature: '1114' }),
  ]
  for (const [at, attempt] of tries.entries())
    expect((await attempt()).body).toMatchObject({ code: 'signature_wrong', triesLeft: 4 - at })
  const fifth = await verify({ signature: '1115' })
  expect([...outcome(fifth), fifth.headers.get('retry-after')]).toEqual([423, 'locked', '900'])
  for (const attempt of [
    () => verify({ signature: pin }),
    () => verify({ signature: pin, useEmail: true }),
    () => set({ signature: '1379', currentSignature: pin }),
    () => ask({ questions, currentSignature: pin }),
  ])
    expect(outcome(await attempt())).toEqual([423, 'locked'])
  expect((await state()).body['lockedUntil']).toBe(new Date(server.clock.now.getTime() + 900_000).toISOString())

  server.clock.pass(899)
  expect((await verify({ signature: pin })).headers.get('retry-after')).toBe('1')
  server.clock.pass(1)
  for (let at = 0; at < 4; at++) expect((await verify({ signature: '1111x' })).status).toBe(403)
  expect((await verify({ signature: '1111x' })).headers.get('retry-after')).toBe('1800')
  server.clock.pass(1800)
  expect((await verify({ signature: pin })).status).toBe(200)
  expect((await verify({ signature: '1111x' })).body).toMatchObject({ triesLeft: 4 })
})

test('of a hundred guesses at once, over two servers, five are judged', async () => {
  const { one, two } = await startPair()
  const { set, verify, token } = await somebody(one)
  await set({ signature: pin })
  const there = signatureCalls(two, token)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => (at % 2 ? verify : there.verify)({ signature: `guess ${at}` })),
  )
  const count = (status: number) => answers.filter((answer) => answer.status === status).length
  // Four are told that they were wrong, the fifth and all others that nobody may try now.
  expect([count(403), count(423)]).toEqual([4, 96])
  expect(outcome(await there.verify({ signature: pin }))).toEqual([423, 'locked'])
})

test('right signatures at once are all right', async () => {
  const server = await startServer()
  const { set, verify } = await somebody(server)
  await set({ signature: pin })
  const answers = await Promise.all(Array.from({ length: 30 }, () => verify({ signature: pin })))
  expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200))
})

test('of several changes at once from the same signature one is made', async () => {
  const { one, two } = await startPair()
  const { set, verify, token } = await somebody(one)
  await set({ signature: pin })
  const sets = [set, signatureCalls(two, token).set]
  const wishes = ['wish 1', 'wish 2', 'wish 3']
  const answers = await Promise.all(wishes.map((signature, at) => sets[at % 2]!({ signature, currentSignature: pin })))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 204)).toHaveLength(1)
  for (const status of statuses) expect([204, 403, 409]).toContain(status)
  expect((await verify({ signature: wishes[statuses.indexOf(204)]! })).status).toBe(200)
})

test('of two first signatures at once one is set', async () => {
  const { one, two } = await startPair()
  const { set, token } = await somebody(one)
  const answers = await Promise.all([
    set({ signature: 'one one' }),
    signatureCalls(two, token).set({ signature: 'two two' }),
  ])
  const statuses = answers.map(({ status }) => status).sort()
  expect(statuses[0]).toBe(204)
  expect([400, 409]).toContain(statuses[1])
})

test('a person who is erased takes the signature along', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const login = (await signInWithTelegram(server, app, person(1))).body
  await signatureCalls(server, login['accessToken']).set({ signature: pin })
  await call(server, 'DELETE', '/v1/me', { token: login['accessToken'] })
  const back = (await signInWithTelegram(server, app, person(1))).body
  expect((await signatureCalls(server, back['accessToken']).state()).body['set']).toBe(false)
})
