import { expect, test } from 'vitest'
import { askLink, confirmLink } from '../support/link.ts'
import { codeTo, mailsOf, sentMails } from '../support/mails.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, type TestServer } from '../support/server.ts'
import { signInWithTelegram } from '../support/signIn.ts'
import { pin, signatureCalls } from '../support/signature.ts'
import { alice, botToken } from '../support/telegram.ts'
import { goodClaims, ssoLogin, startSso } from '../support/tokenInfo.ts'

// Whose address counts, for an app whose server answers Saakuru's six claims, and so says nothing of `email_verified`.

const mailbox = 'ann@example.com'
const linkMail = `verification_code_link_account ${mailbox}`

async function setUp() {
  const policy = { sessionPolicy: { accessTokenTtl: 86_400, maxConcurrentSessions: 5 } }
  const { server, tokenInfo, app } = await startSso({ ...policy, telegram: { botToken } })
  let turn = 0
  return {
    server,
    app,
    says: (more: Record<string, unknown>) => tokenInfo.says(goodClaims(server, more)),
    /** Signs in with a token of its own, so that the server is asked each time. */
    sso: async () => (await ssoLogin(server, app, `token-${++turn}`)).body,
    telegram: async () => (await signInWithTelegram(server, app, alice)).body['accessToken'] as string,
  }
}

const change = async (server: TestServer, app: { publicId: string }, sso: object) =>
  call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, {
    headers: bearer(await operatorToken(server)),
    body: { sso },
  })

test('an app vouches for the addresses of its own users: they are linked by code and reset by mail', async () => {
  const { server, sso, telegram } = await setUp()
  const ann = await sso()
  expect(ann['user']).not.toHaveProperty('emailVerified')
  const { set, reset } = signatureCalls(server, ann['accessToken'])
  await set({ signature: pin })
  await reset()
  expect(await sentMails(server)).toEqual([`verification_code_reset_signature ${mailbox}`])

  const token = await telegram()
  await askLink(server, token, mailbox)
  const joined = await confirmLink(server, token, { code: await codeTo(server, mailbox), otherSignature: pin })
  expect(joined.body).toMatchObject({ absorbedUserId: ann['user'].id, user: { email: mailbox, emailVerified: true } })
  // The code was read there, and no later login takes that back.
  expect((await sso())['user']).toMatchObject({ id: joined.body['user'].id, emailVerified: true })
})

test.each([false, 'false', null, 0, 'yes'])(
  'an address of which the server says %j links nothing',
  async (verified) => {
    const { server, says, sso, telegram } = await setUp()
    says({ email_verified: verified })
    await sso()
    await askLink(server, await telegram(), mailbox)
    expect(await sentMails(server)).toEqual([])
  },
)

test('where an app asks for the claim, silence vouches for nobody, from that moment on', async () => {
  const { server, app, says, sso, telegram } = await setUp()
  await sso()
  expect((await change(server, app, { requireEmailVerified: true })).status).toBe(200)
  const token = await telegram()
  await askLink(server, token, mailbox)
  expect(await sentMails(server)).toEqual([])
  says({ email_verified: true })
  await sso()
  await askLink(server, token, mailbox)
  expect(await sentMails(server)).toEqual([linkMail])
})

test('a code is for nothing once the address is no longer vouched for', async () => {
  const { server, says, sso, telegram } = await setUp()
  await sso()
  const token = await telegram()
  await askLink(server, token, mailbox)
  says({ email_verified: false })
  await sso()
  const late = await confirmLink(server, token, { code: await codeTo(server, mailbox) })
  expect(late.body).toMatchObject({ status: 400, code: 'code_invalid' })
})

test('what was proved of one address says nothing of the next', async () => {
  const { server, says, sso, telegram } = await setUp()
  says({ email: 'eve@example.com', email_verified: false })
  const eve = signatureCalls(server, (await sso())['accessToken'])
  await eve.set({ signature: pin })
  await eve.reset()
  await eve.confirm({ code: await codeTo(server, 'eve@example.com'), newSignature: '1379' })
  expect((await sso())['user']).toMatchObject({ email: 'eve@example.com', emailVerified: true })

  // She changes her address at the app to somebody else's, which nobody has confirmed.
  says({ email: mailbox, email_verified: false })
  expect((await sso())['user']).toMatchObject({ email: mailbox, emailVerified: false })
  await askLink(server, await telegram(), mailbox)
  expect(await sentMails(server)).not.toContain(linkMail)
})

test('an address that a person wrote down counts for nothing, whatever their login says of another', async () => {
  const { server, says, sso, telegram } = await setUp()
  says({ email: 'eve@example.com', email_verified: true })
  const token = (await sso())['accessToken'] as string
  const { set, reset } = signatureCalls(server, token)
  await set({ signature: pin })
  await call(server, 'PATCH', '/v1/me', { token, body: { email: mailbox } })
  expect((await sso())['user']).toMatchObject({ email: mailbox, emailVerified: false })
  await askLink(server, await telegram(), mailbox)
  await reset()
  expect(await sentMails(server)).toEqual([`verification_code_reset_signature eve@example.com`])
})

test.each(['ann@bücher.example', "o'hara+x@例え.テスト"])('an account at %s is found and mailed to', async (email) => {
  const { server, says, sso, telegram } = await setUp()
  says({ email })
  const other = await sso()
  const token = await telegram()
  expect((await askLink(server, token, email)).status).toBe(202)
  expect((await confirmLink(server, token, { code: await codeTo(server, await mailedTo(server)) })).body).toMatchObject(
    {
      absorbedUserId: other['user'].id,
    },
  )
})

test('what is no address is none to link', async () => {
  const { server, telegram } = await setUp()
  const token = await telegram()
  const texts = [
    '',
    'x',
    'a@b',
    'a@b.',
    'a b@c.example',
    'Ann <a@c.example>',
    'a@c.example,b@c.example',
    '"a b"@c.example',
  ]
  for (const email of [
    ...texts,
    'a@c.example\r\nBcc: b@c.example',
    'a@c.example\0',
    'a@c.\u2028example',
    `${'a'.repeat(250)}@c.example`,
    5,
    null,
  ])
    expect([email, (await call(server, 'POST', '/v1/me/link', { token, body: { email } })).status]).toEqual([
      email,
      400,
    ])
})

const mailedTo = async (server: TestServer) => (await mailsOf(server)).at(-1)!.to
