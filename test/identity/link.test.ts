import { eq } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { emails, events, notificationPreferences, users } from '../../server/db/schema.ts'
import { sealProfile } from '../../server/identity/findOrCreate.ts'
import { requestLink } from '../../server/identity/link.ts'
import { mailLinkCode } from '../../server/identity/linkMail.ts'
import { recordEvent } from '../../server/event/record.ts'
import { savePreferences } from '../../server/notification/store.ts'
import { sweep } from '../../server/sweep.ts'
import { verifyAccess } from '../../server/token/verifyAccess.ts'
import { local, newEndpoint } from '../support/events.ts'
import { askLink, confirmLink, signInWithWallet } from '../support/link.ts'
import { codeTo, mailsOf, otherThan, sentMails } from '../support/mails.ts'
import { operatorToken } from '../support/operator.ts'
import { startPair } from '../support/pair.ts'
import { startReceiver } from '../support/receiver.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { pin, signatureCalls } from '../support/signature.ts'
import { startSmtp } from '../support/smtp.ts'
import { signInWithEmail } from '../support/sso.ts'
import { alice, person } from '../support/telegram.ts'
import { newWallet } from '../support/wallet.ts'

const outcome = ({ status, body }: Answer) => [status, body['code']]
const mailbox = 'ada@example.com'
const linkMail = `verification_code_link_account ${mailbox}`
const me = async (server: TestServer, token: string) => (await call(server, 'GET', '/v1/me', { token })).body
const idOf = (server: TestServer, id: string) => server.runtime.vault.ids.parse('usr', id)!

/** Somebody who signs in by Telegram, and an account by SSO whose address the app vouches for. */
async function twoAccounts(server: TestServer, input: Parameters<typeof telegramApp>[1] = {}) {
  const app = await telegramApp(server, {
    ...input,
    sessionPolicy: { accessTokenTtl: 86_400, maxConcurrentSessions: 5 },
  })
  const { body } = await signInWithTelegram(server, app)
  const theirs = await signInWithEmail(server, app, mailbox, { name: 'Ada Lovelace' })
  return { app, token: body['accessToken'] as string, mine: body['user'].id as string, theirs }
}

test('two accounts become one by the code that is mailed to the other', async () => {
  const server = await startServer()
  const { app, token, mine, theirs } = await twoAccounts(server)
  const asked = await askLink(server, token, ' ADA@example.com'.trim())
  expect([asked.status, asked.body]).toEqual([202, { expiresIn: 600 }])
  const [mail] = await mailsOf(server)
  expect(mail).toMatchObject({
    kind: 'verification_code_link_account',
    to: mailbox,
    userId: idOf(server, theirs.user.id),
    facts: { userName: 'Ada Lovelace', ip: '127.0.0.1' },
    expiresAt: new Date(server.clock.now.getTime() + 600_000),
  })
  expect(mail!.facts).not.toHaveProperty('device')

  const joined = await confirmLink(server, token, { code: mail!.code })
  expect(joined.status).toBe(200)
  expect(joined.body).toEqual({
    absorbedUserId: theirs.user.id,
    user: {
      id: mine,
      createdAt: '2026-06-01T12:00:00.000Z',
      name: 'Alice Ito',
      username: 'alice_ito',
      language: 'en',
      email: mailbox,
      emailVerified: true,
    },
  })
  expect(await me(server, token)).toEqual(joined.body['user'])
  // Either way in leads to the one account; the sessions of the other account are over.
  expect((await signInWithEmail(server, app, mailbox)).user).toMatchObject({ id: mine, isNew: false })
  expect((await signInWithTelegram(server, app)).body['user'].id).toBe(mine)
  expect((await checkSession(server, theirs.accessToken)).body).toMatchObject({
    status: 401,
    code: 'session_revoked',
    reason: 'account_linked',
  })
  expect(
    (await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: theirs.refreshToken } })).status,
  ).toBe(401)
  expect((await checkSession(server, token)).status).toBe(200)
  // The code was for one use.
  expect(outcome(await confirmLink(server, token, { code: mail!.code }))).toEqual([400, 'code_invalid'])
})

test('wallets, handles, notifications and the past come along, and the app is told', async () => {
  const server = await startServer({ env: local })
  const receiver = await startReceiver()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 5 } })
  await newEndpoint(server, app, receiver.url, { types: ['user.logout', 'wallet.linked'] })
  const wallet = newWallet()
  const theirs = (await signInWithWallet(server, app, wallet)).body
  const [mine, other] = [await signInWithTelegram(server, app), idOf(server, theirs['user'].id)]
  const userId = idOf(server, mine.body['user'].id)
  const { runtime } = server
  await runtime.db.transaction(async (tx) => {
    const profile = await sealProfile(runtime, tx, other, { email: mailbox, emailVerified: true })
    await tx.update(users).set(profile).where(eq(users.id, other))
    await savePreferences(tx, other, { choices: '{"swaps":{"email":false}}' })
  })
  const gql = (query: string, token: string) =>
    call(server, 'POST', `/v1/apps/${app.slug}/graphql`, { body: { query }, token })
  const create = `mutation { createProfile(input: {handle: "ada_l", address: "${wallet.address}"}) { id } }`
  expect((await gql(create, theirs['accessToken'])).body['data'].createProfile.id).toMatch(/^pro_/)
  await runtime.db.transaction((tx) =>
    recordEvent(runtime, tx, { app, type: 'kyc.success', userId: other, content: {}, source: 'api' }),
  )

  const token = mine.body['accessToken'] as string
  await askLink(server, token, mailbox)
  const joined = await confirmLink(server, token, { code: await codeTo(server, mailbox) })
  expect(joined.status).toBe(200)
  const { body: held } = await call(server, 'GET', '/v1/me/export', { token })
  expect(held['identities'].map(({ kind }: { kind: string }) => kind).sort()).toEqual(['telegram', 'ton'])
  expect(held['wallets']).toMatchObject([{ address: wallet.address }])
  expect(held['profiles']).toMatchObject([{ handle: 'ada_l' }])
  expect(held['sessions'].map(({ endReason }: { endReason: string }) => endReason).sort()).toEqual([
    'account_linked',
    null,
  ])
  const told = await runtime.db.select().from(events).where(eq(events.userId, userId))
  expect(told.map(({ type }) => type)).toContain('kyc.success')
  expect(await runtime.db.select().from(events).where(eq(events.userId, other))).toEqual([])
  const choices = await runtime.db.select().from(notificationPreferences)
  expect(choices).toMatchObject([{ userId, choices: '{"swaps":{"email":false}}' }])
  expect((await mailsOf(server)).map((mail) => mail.userId)).toEqual([userId])

  // The wallet is the one account's now, with its handle.
  const again = (await signInWithWallet(server, app, wallet)).body
  expect(again['user'].id).toBe(mine.body['user'].id)
  await runtime.outbox.pass()
  expect(
    receiver.received.map(({ json }) => [json.data.op, json.data.content.reason ?? json.data.content.address]),
  ).toEqual(
    expect.arrayContaining([
      ['user.logout', 'account_linked'],
      ['wallet.linked', wallet.address],
    ]),
  )
})

test('the answer is the same whether there is an account or not, and nobody looks before it is out', async () => {
  const server = await startServer()
  const { app, token, mine } = await twoAccounts(server)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'mine@example.com' } })
  const blocked = await signInWithEmail(server, app, 'blocked@example.com')
  await server.runtime.db.transaction((tx) =>
    tx
      .update(users)
      .set({ blockedAt: server.clock.now })
      .where(eq(users.id, idOf(server, blocked.user.id))),
  )
  await signInWithEmail(server, app, 'unsure@example.com', { verified: false })
  const elsewhere = await telegramApp(server, { slug: 'elsewhere' })
  await signInWithEmail(server, elsewhere, 'elsewhere@example.com')
  const asks = [mailbox, 'nobody@example.com', 'blocked@example.com', 'unsure@example.com']

  // Every use of the database and of the keys is counted, up to the answer.
  const access = await verifyAccess(server.runtime, token)
  const origin = { ip: '192.0.2.7', userAgent: undefined }
  const costs = []
  for (const email of asks) {
    const count = { transactions: 0, hashes: 0, sealed: 0, opened: 0, reads: 0 }
    const { db, vault } = server.runtime
    const counted = {
      ...server.runtime,
      vault: {
        ...vault,
        hash: (...input: Parameters<typeof vault.hash>) => (count.hashes++, vault.hash(...input)),
        seal: (...input: Parameters<typeof vault.seal>) => (count.sealed++, vault.seal(...input)),
        open: (...input: Parameters<typeof vault.open>) => (count.opened++, vault.open(...input)),
      },
      db: {
        ...db,
        transaction: (work: Parameters<typeof db.transaction>[0]) => (count.transactions++, db.transaction(work)),
        select: () => {
          count.reads++
          throw new Error('the answer reads nothing outside its transaction')
        },
      },
    } as unknown as typeof server.runtime
    expect(await requestLink(counted, access, email, origin)).toEqual({ expiresIn: 600 })
    costs.push(count)
  }
  expect(costs).toEqual(asks.map(() => ({ transactions: 1, hashes: 1, sealed: 0, opened: 0, reads: 0 })))
  await mailLinkCode(server.runtime, app, idOf(server, mine))
  expect(await sentMails(server)).toEqual([])

  const bob = (await signInWithTelegram(server, app, person(2))).body['accessToken'] as string
  const carol = (await signInWithTelegram(server, app, person(3))).body['accessToken'] as string
  const [known, unknown] = [await askLink(server, bob, mailbox), await askLink(server, carol, 'nobody@example.com')]
  expect([known.status, known.body]).toEqual([unknown.status, unknown.body])
  const names = (answer: Answer) => [...answer.headers.keys()].sort()
  expect(names(known)).toEqual(names(unknown))
  expect(await sentMails(server)).toEqual([linkMail])
  // Nor does a guess tell, up to the last.
  const code = await codeTo(server, mailbox)
  for (let at = 1; at <= 6; at++) {
    const guess = { code: otherThan(code, at) }
    const [one, two] = [await confirmLink(server, bob, guess), await confirmLink(server, carol, guess)]
    expect([one.status, one.body['code'], one.body['triesLeft'], one.headers.get('retry-after')]).toEqual([
      two.status,
      two.body['code'],
      two.body['triesLeft'],
      two.headers.get('retry-after'),
    ])
    expect(one.status).toBe(at < 5 ? 400 : 423)
  }
  for (const email of ['elsewhere@example.com', 'mine@example.com']) {
    const dave = (await signInWithTelegram(server, app, person(4))).body['accessToken'] as string
    expect((await askLink(server, dave, email)).status).toBe(202)
  }
  expect(await sentMails(server)).toEqual([linkMail])
})

test('one cannot be joined to oneself', async () => {
  const server = await startServer()
  const { theirs } = await twoAccounts(server)
  expect((await askLink(server, theirs.accessToken, mailbox)).status).toBe(202)
  expect(await sentMails(server)).toEqual([])
})

test('what is no wish and no confirmation is refused', async () => {
  const server = await startServer()
  const { token, mine } = await twoAccounts(server)
  for (const body of [
    {},
    [],
    { email: 'nobody' },
    { email: `${'a'.repeat(250)}@example.com` },
    { email: `${mailbox}\r\nBcc: b@example.com` },
    { email: [mailbox] },
    { email: mailbox, userId: mine },
  ])
    expect(outcome(await askLink(server, token, body as never)), JSON.stringify(body)).toEqual([400, 'invalid_request'])
  const raw = await call(server, 'POST', '/v1/me/link', { token, body: { email: mailbox, userId: mine } })
  expect(outcome(raw)).toEqual([400, 'invalid_request'])
  for (const body of [{}, { code: 'abcdef' }, { code: '1234567' }, { code: '123456', userId: mine }])
    expect(outcome(await confirmLink(server, token, body))).toEqual([400, 'invalid_request'])
  expect(outcome(await confirmLink(server, token, { code: '123456' }))).toEqual([400, 'code_invalid'])
  for (const path of ['/v1/me/link', '/v1/me/link/confirm']) {
    expect(outcome(await call(server, 'POST', path, { body: { email: mailbox } }))).toEqual([401, 'token_invalid'])
    expect(outcome(await call(server, 'GET', path, { token }))).toEqual([405, 'method_not_allowed'])
  }
  expect(await sentMails(server)).toEqual([])
})

test('a code lives ten minutes, only the newest, and for the one who asked', async () => {
  const server = await startServer()
  const { app, token } = await twoAccounts(server)
  await askLink(server, token, mailbox)
  const first = await codeTo(server, mailbox)
  const thief = (await signInWithTelegram(server, app, person(9))).body['accessToken'] as string
  expect(outcome(await confirmLink(server, thief, { code: first }))).toEqual([400, 'code_invalid'])
  await askLink(server, token, mailbox)
  const second = await codeTo(server, mailbox)
  if (first !== second)
    expect(outcome(await confirmLink(server, token, { code: first }))).toEqual([400, 'code_invalid'])
  server.clock.pass(600)
  expect(outcome(await confirmLink(server, token, { code: second }))).toEqual([400, 'code_invalid'])
  await askLink(server, token, mailbox)
  expect((await confirmLink(server, token, { code: await codeTo(server, mailbox) })).status).toBe(200)
})

test('of a hundred guesses at once, over two servers, five are judged, and no new code helps', async () => {
  const { one, two, pass } = await startPair()
  const { token } = await twoAccounts(one)
  await askLink(one, token, mailbox)
  const code = await codeTo(one, mailbox)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => confirmLink(at % 2 ? one : two, token, { code: otherThan(code, at + 1) })),
  )
  const count = (status: number) => answers.filter((answer) => answer.status === status).length
  expect([count(400), count(423)]).toEqual([4, 96])
  expect(outcome(await confirmLink(two, token, { code }))).toEqual([423, 'locked'])
  const refused = await askLink(two, token, mailbox)
  expect([...outcome(refused), refused.headers.get('retry-after')]).toEqual([423, 'locked', '3600'])
  // Guessing at somebody else's code signs nobody out.
  expect((await checkSession(one, token)).status).toBe(200)
  pass(3_600)
  expect((await askLink(one, token, mailbox)).status).toBe(202)
})

test('asking for new codes brings no new tries', async () => {
  const server = await startServer()
  const { token } = await twoAccounts(server)
  const wrong = async () => confirmLink(server, token, { code: otherThan(await codeTo(server, mailbox)) })
  await askLink(server, token, mailbox)
  for (const left of [4, 3, 2]) expect((await wrong()).body['triesLeft']).toBe(left)
  await askLink(server, token, mailbox)
  expect((await wrong()).body['triesLeft']).toBe(1)
  expect(outcome(await wrong())).toEqual([423, 'locked'])
})

test('a mailbox is not flooded, whoever asks, and whether anybody has it or not', async () => {
  const server = await startServer()
  const { app } = await twoAccounts(server)
  for (const email of [mailbox, 'nobody@example.com']) {
    const statuses = []
    for (let at = 0; at < 12; at++) {
      const { accessToken } = (await signInWithTelegram(server, app, person(50 + at))).body as { accessToken: string }
      statuses.push((await askLink(server, accessToken, at % 2 ? email.toUpperCase() : email)).status)
    }
    expect(statuses).toEqual([...Array<number>(10).fill(202), 429, 429])
  }
  expect(await sentMails(server)).toEqual(Array(10).fill(linkMail))
  const { accessToken } = (await signInWithTelegram(server, app, person(99))).body as { accessToken: string }
  const own = []
  for (let at = 0; at < 6; at++) own.push((await askLink(server, accessToken, `a${at}@example.com`)).status)
  expect(own).toEqual([202, 202, 202, 202, 202, 429])
})

test('the mail goes to the address that the account has, not to one that only looks the same', async () => {
  const server = await startServer()
  const { app, token } = await twoAccounts(server)
  await signInWithEmail(server, app, 'kate@example.com')
  // U+212A, the Kelvin sign, is a k in lower case. Where it passes for an address at all, the mail goes to the account's own.
  const asked = await askLink(server, token, '\u212Aate@example.com')
  expect([202, 400]).toContain(asked.status)
  for (const mail of await sentMails(server)) expect(mail).toBe('verification_code_link_account kate@example.com')
})

test('an address that stopped being vouched for after the mail joins nothing', async () => {
  const server = await startServer()
  const { token, theirs } = await twoAccounts(server)
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  await call(server, 'PATCH', '/v1/me', { token: theirs.accessToken, body: { email: 'other@example.com' } })
  expect(outcome(await confirmLink(server, token, { code }))).toEqual([400, 'code_invalid'])
  expect((await checkSession(server, theirs.accessToken)).status).toBe(200)
})

test('a blocked account is not joined, or the block would be gone', async () => {
  const server = await startServer()
  const { token, theirs } = await twoAccounts(server)
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  const headers = { authorization: `Bearer ${await operatorToken(server)}` }
  const block = await call(server, 'POST', `/api/v1/users/${theirs.user.id}/block`, {
    headers,
    body: { reason: 'fraud' },
  })
  expect(block.status).toBe(200)
  expect(outcome(await confirmLink(server, token, { code }))).toEqual([400, 'code_invalid'])
})

test('of two addresses the vouched one stays, of two vouched ones that of the account that goes on', async () => {
  const server = await startServer()
  const { app, token } = await twoAccounts(server)
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'written@example.com', name: 'Alice' } })
  await askLink(server, token, mailbox)
  await confirmLink(server, token, { code: await codeTo(server, mailbox) })
  expect(await me(server, token)).toMatchObject({ name: 'Alice', email: mailbox, emailVerified: true })

  const carol = await signInWithEmail(server, app, 'carol@example.com')
  await askLink(server, carol.accessToken, mailbox)
  await confirmLink(server, carol.accessToken, { code: await codeTo(server, mailbox) })
  expect(await me(server, carol.accessToken)).toMatchObject({ email: 'carol@example.com', emailVerified: true })
  // Signing in by the absorbed way changes nothing of that.
  const back = await signInWithEmail(server, app, mailbox, { name: 'Ada Lovelace' })
  expect(back.user).toMatchObject({ id: carol.user.id, email: 'carol@example.com' })
})

test('who joins an account with a signature shows it, and one of two is kept', async () => {
  const server = await startServer()
  const { token, theirs } = await twoAccounts(server)
  const [own, others] = [signatureCalls(server, token), signatureCalls(server, theirs.accessToken)]
  await own.set({ signature: pin })
  await others.set({ signature: 'correct horse' })
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  const join = (body: object) => confirmLink(server, token, { code, ...body })
  expect((await join({})).body).toMatchObject({ status: 400, errors: [{ path: 'signature' }] })
  expect((await join({ signature: pin })).body).toMatchObject({ status: 400, errors: [{ path: 'otherSignature' }] })
  const wrong = { signature: pin, otherSignature: 'battery staple' }
  expect((await join(wrong)).body).toMatchObject({ status: 403, code: 'signature_wrong', triesLeft: 4 })
  expect((await others.verify({ signature: 'battery' })).body).toMatchObject({ triesLeft: 3 })
  expect((await join({ signature: '1379', otherSignature: 'correct horse' })).body).toMatchObject({
    status: 403,
    triesLeft: 4,
  })
  expect((await join({ signature: pin, otherSignature: 'correct horse' })).status).toBe(200)
  expect((await own.verify({ signature: pin })).status).toBe(200)
  expect((await own.verify({ signature: 'correct horse' })).status).toBe(403)
})

test('wrong signatures on the way to an account lock it there as well', async () => {
  const server = await startServer()
  const { token, theirs } = await twoAccounts(server)
  const others = signatureCalls(server, theirs.accessToken)
  await others.set({ signature: pin })
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  const answers = []
  for (let at = 0; at < 6; at++)
    answers.push(outcome(await confirmLink(server, token, { code, otherSignature: `guess ${at}` })))
  expect(answers).toEqual([...Array(4).fill([403, 'signature_wrong']), [423, 'locked'], [423, 'locked']])
  expect(outcome(await confirmLink(server, token, { code, otherSignature: pin }))).toEqual([423, 'locked'])
  expect(outcome(await others.verify({ signature: pin }))).toEqual([423, 'locked'])
})

test('the only signature of two accounts stays, with its questions, and a reset under way is off', async () => {
  const server = await startServer()
  const { token, theirs } = await twoAccounts(server)
  const [own, others] = [signatureCalls(server, token), signatureCalls(server, theirs.accessToken)]
  await others.set({ signature: pin })
  await others.ask({ questions: [{ question: 'First pet?', answer: 'Rex' }], currentSignature: pin })
  // While there is no signature, a code goes to any address.
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'thief@example.com' } })
  await own.reset()
  const reset = await codeTo(server, 'thief@example.com')
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  expect((await confirmLink(server, token, { code, otherSignature: pin })).status).toBe(200)
  expect((await own.state()).body).toMatchObject({ set: true, recoveryQuestions: ['First pet?'] })
  expect(outcome(await own.confirm({ code: reset, newSignature: '1379', answers: ['rex'] }))).toEqual([
    400,
    'code_invalid',
  ])
  expect((await own.verify({ signature: pin })).status).toBe(200)
})

test('of a hundred right confirmations at once, over two servers, one joins', async () => {
  const { one, two } = await startPair()
  const { app, token, mine } = await twoAccounts(one)
  await askLink(one, token, mailbox)
  const code = await codeTo(one, mailbox)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => confirmLink(at % 2 ? one : two, token, { code })),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ body }) => body['code'] === 'code_invalid')).toHaveLength(99)
  expect((await signInWithEmail(two, app, mailbox)).user.id).toBe(mine)
})

test('two people who join the same account at once: one gets it', async () => {
  const { one, two } = await startPair()
  const { app, token } = await twoAccounts(one)
  const bob = (await signInWithTelegram(two, app, person(7))).body['accessToken'] as string
  await askLink(one, token, mailbox)
  const first = await codeTo(one, mailbox)
  await askLink(two, bob, mailbox)
  const second = await codeTo(two, mailbox)
  const answers = await Promise.all([confirmLink(one, token, { code: first }), confirmLink(two, bob, { code: second })])
  expect(answers.map(outcome).sort()).toEqual([
    [200, undefined],
    [400, 'code_invalid'],
  ])
})

test('two who join each other at once become one account', async () => {
  for (let round = 0; round < 3; round++) {
    const { one, two } = await startPair()
    const app = await telegramApp(one)
    const [a, b] = [await signInWithEmail(one, app, 'a@example.com'), await signInWithEmail(two, app, 'b@example.com')]
    await askLink(one, a.accessToken, 'b@example.com')
    await askLink(two, b.accessToken, 'a@example.com')
    const [codeOfA, codeOfB] = [await codeTo(one, 'b@example.com'), await codeTo(one, 'a@example.com')]
    const answers = await Promise.all([
      confirmLink(one, a.accessToken, { code: codeOfA }),
      confirmLink(two, b.accessToken, { code: codeOfB }),
    ])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    for (const { status } of answers) expect([200, 400, 401]).toContain(status)
    const ids = await Promise.all(
      ['a@example.com', 'b@example.com'].map(async (email) => (await signInWithEmail(one, app, email)).user.id),
    )
    expect(new Set(ids).size).toBe(1)
  }
})

test('joining, signing in, asking and erasing at the same moment is never an error of ours', async () => {
  const { one, two } = await startPair()
  for (let round = 0; round < 4; round++) {
    const email = `round${round}@example.com`
    const app: App = await telegramApp(one, { slug: `round${round}`, sessionPolicy: { maxConcurrentSessions: 20 } })
    const { accessToken: token } = (await signInWithTelegram(one, app)).body as { accessToken: string }
    const theirs = await signInWithEmail(one, app, email)
    await askLink(one, token, email)
    const code = await codeTo(one, email)
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, (_, at) => signInWithTelegram(at % 2 ? one : two, app)),
      confirmLink(one, token, { code }),
      call(two, 'DELETE', '/v1/me', { token: round % 2 ? token : theirs.accessToken }),
      call(two, 'PATCH', '/v1/me', { token, body: { name: `Round ${round}` } }),
      call(one, 'POST', '/v1/token/refresh', { body: { refreshToken: theirs.refreshToken } }),
      askLink(two, token, email),
    ])
    await Promise.all(Array.from({ length: 4 }, (_, at) => signInWithEmail(at % 2 ? one : two, app, email)))
    for (const { status } of answers) expect([200, 202, 204, 400, 401, 404]).toContain(status)
  }
})

test.each(['with a mail server', 'without one'])(
  'what follows the answer is the same work whether there is such an account or not, %s',
  async (which) => {
    const smtp = await startSmtp()
    const server = await startServer({ env: which === 'without one' ? {} : { SMTP_URL: smtp.url } })
    const { app, token } = await twoAccounts(server)
    const operator = await operatorToken(server)
    const workFor = async (token: string, email: string) => {
      const { db } = server.runtime
      const transact = db.transaction.bind(db)
      let transactions = 0
      const transaction = vi.spyOn(db, 'transaction').mockImplementation((work) => {
        // What is counted is written once a second, whatever else goes on.
        if (!/stats\/figures|traffic\/notes/.test(new Error().stack!)) transactions++
        return transact(work)
      })
      await askLink(server, token, email)
      const queued = await db.select().from(emails).where(eq(emails.status, 'queued'))
      expect(queued).toHaveLength(1)
      const { kind, nextAt, expiresAt, locale, variablesSealed } = queued[0]!
      await server.runtime.mailer.pass()
      transaction.mockRestore()
      expect(transactions).toBeGreaterThan(1)
      return { kind, nextAt, expiresAt, locale, bytes: variablesSealed!.length, transactions }
    }
    const known = await workFor(token, mailbox)
    const other = (await signInWithTelegram(server, app, person(8))).body['accessToken'] as string
    const unknown = await workFor(other, 'nobody@example.com')
    expect({ ...unknown, bytes: 0 }).toEqual({ ...known, bytes: 0 })
    // But for the name in it, and which key it is under.
    expect(Math.abs(unknown.bytes - known.bytes)).toBeLessThan(60)

    // Nobody is written to, and of that mail nothing is left, nor was it ever shown.
    expect(smtp.received.map(({ to }) => to)).toEqual(which === 'without one' ? [] : [[mailbox]])
    const listed = await call(server, 'GET', '/api/v1/emails', { token: operator })
    expect([listed.body['items'].length, listed.body['total']]).toEqual([1, 1])
    expect(await server.runtime.db.select().from(emails)).toHaveLength(1)
    await askLink(server, other, 'nobody.else@example.com')
    expect((await call(server, 'GET', '/api/v1/emails', { token: operator })).body['total']).toBe(1)
    server.clock.pass(600)
    await server.runtime.mailer.pass()
    expect(await server.runtime.db.select().from(emails)).toHaveLength(1)
  },
)

test('what a process that stopped left between answer and mail is mailed by the next sweep, once', async () => {
  const server = await startServer()
  const { app, token } = await twoAccounts(server)
  const access = await verifyAccess(server.runtime, token)
  await requestLink(server.runtime, access, mailbox, { ip: '192.0.2.7', userAgent: undefined })
  await sweep(server.runtime)
  await sweep(server.runtime)
  await mailLinkCode(server.runtime, app, access.session.userId)
  expect(await sentMails(server)).toEqual([linkMail])
  expect((await confirmLink(server, token, { code: await codeTo(server, mailbox) })).status).toBe(200)
  await askLink(server, token, 'nobody@example.com')
  server.clock.pass(600)
  expect(await sweep(server.runtime)).toMatchObject({ links: 1 })
})

test('the audit log tells who joined whom, without what is secret or personal', async () => {
  const server = await startServer({ env: { LOG_LEVEL: 'trace' } })
  const { token, mine, theirs } = await twoAccounts(server)
  await askLink(server, token, mailbox)
  const code = await codeTo(server, mailbox)
  await confirmLink(server, token, { code: otherThan(code) })
  await confirmLink(server, token, { code })
  const headers = { authorization: `Bearer ${await operatorToken(server)}` }
  const { body } = await call(server, 'GET', '/api/v1/audit', { headers })
  const entry = body['items'].find((item: { action: string }) => item.action === 'user.link')
  expect(JSON.stringify(entry)).toContain(theirs.user.id)
  expect(JSON.stringify(entry)).toContain(mine)
  const shown = JSON.stringify(body) + server.logged()
  for (const secret of [mailbox, 'Lovelace', code, alice.username!]) expect(shown.includes(secret), secret).toBe(false)
})
