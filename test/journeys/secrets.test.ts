import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { drain } from '../../server/serve.ts'
import { newApiKey, oauth } from '../support/apiKey.ts'
import { freshDatabase } from '../support/database.ts'
import { dumpDatabase } from '../support/dump.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, botToken, initData } from '../support/telegram.ts'
import { newWallet, signNonce } from '../support/wallet.ts'

const person = { ...alice, first_name: 'Zebedee', last_name: 'Quux', username: 'zebedee_quux' }

/** Uses the server in every way there is, rightly and wrongly; returns every secret that passed, by name. */
async function useEverything(server: TestServer): Promise<Record<string, string>> {
  const secrets: Record<string, string> = { botToken, botSecret: botToken.split(':')[1]! }
  for (const [accessTokenFormat, slug] of [
    ['jwt', 'one'],
    ['opaque', 'two'],
  ] as const) {
    const app = await telegramApp(server, {
      slug,
      telegram: { botToken, singleUse: true },
      sessionPolicy: { accessTokenFormat, refreshRotation: true, maxConcurrentSessions: 2 },
    })
    const key = await newApiKey(server, app)
    const data = initData(person, server.clock.now)
    const login = await call(server, 'POST', `/v1/apps/${slug}/telegram/login`, {
      body: { initData: data },
      headers: { 'user-agent': 'Telegram' },
    })
    expect(login.status).toBe(200)
    const { accessToken: token, refreshToken } = login.body as { accessToken: string; refreshToken: string }
    await call(server, 'POST', `/v1/apps/${slug}/telegram/login`, { body: { initData: data } })
    await call(server, 'POST', `/v1/apps/${slug}/telegram/login`, { body: { initData: data, more: token } })
    const email = `zebedee.${slug}@example.com`
    await call(server, 'PATCH', '/v1/me', { token, body: { email, name: 'Zebedee the Great' } })
    await call(server, 'PATCH', '/v1/me', { token, body: { email: `${email}\n` } })
    const refreshed = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken } })
    await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: `${refreshToken}x` } })
    await checkSession(server, token)
    await checkSession(server, `${token}x`)
    await call(server, 'GET', `/v1/session?access_token=${token}`)
    await call(server, 'GET', '/v1/me/export', { token })
    await oauth(server, '/oauth/introspect', { token }, { key })
    await oauth(server, '/oauth/introspect', { token, client_secret: `${key}x` })
    await oauth(server, '/oauth/token', { grant_type: 'refresh_token', refresh_token: refreshToken }, { key })

    const wallet = newWallet()
    const nonce = await call(server, 'POST', `/v1/apps/${slug}/ton/nonce`, { body: {} })
    const signedMessage = signNonce(wallet, nonce.body['nonce'])
    const body = { id: nonce.body['id'], address: wallet.address, signedMessage, stateInit: wallet.stateInit }
    const ton = await call(server, 'POST', `/v1/apps/${slug}/ton/login`, { body })
    expect(ton.status).toBe(200)
    await call(server, 'POST', `/v1/apps/${slug}/ton/login`, { body })
    await call(server, 'POST', `/v1/apps/${slug}/ton/login`, { body: { ...body, stateInit: undefined } })
    const named = {
      key,
      token,
      refreshToken,
      email,
      signedMessage,
      initData: data,
      initDataHash: new URLSearchParams(data).get('hash')!,
      nonce: nonce.body['nonce'] as string,
      newAccess: refreshed.body['accessToken'] as string,
      newRefresh: refreshed.body['refreshToken'] as string,
      tonAccess: ton.body['accessToken'] as string,
      tonRefresh: ton.body['refreshToken'] as string,
    }
    for (const [name, value] of Object.entries(named)) secrets[`${slug} ${name}`] = value
  }
  return secrets
}

const personal = { name: 'Zebedee', surname: 'Quux', username: 'zebedee_quux', telegramId: String(person.id) }

/** A secret may hide in other spellings of the same bytes. */
function spellings(secret: string): string[] {
  const all = [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret).toString('base64'),
  ]
  const opaque = /^gh_.._(.{64})$/.exec(secret)?.[1]
  if (opaque) {
    const bytes = Buffer.from(opaque, 'base64url')
    const proof = bytes.subarray(16)
    all.push(
      opaque,
      bytes.toString('latin1'),
      proof.toString('latin1'),
      proof.toString('hex'),
      proof.toString('base64url'),
    )
  }
  return all
}

test('the log holds no secret, also when the database fails', async () => {
  const server = await startServer({ env: { LOG_LEVEL: 'trace' }, keep: true })
  onTestFinished(() => drain(server.server, 0))
  const secrets = await useEverything(server)
  const wallet = newWallet()
  const { id, nonce } = (await call(server, 'POST', '/v1/apps/one/ton/nonce', { body: {} })).body as {
    id: string
    nonce: string
  }
  await server.runtime.db.close()
  const failures = [
    await signInWithTelegram(server, { slug: 'one' } as never, person),
    await checkSession(server, secrets['two token']!),
    await checkSession(server, secrets['one token']!),
    await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: secrets['one newRefresh'] } }),
    await oauth(server, '/oauth/introspect', { token: secrets['two token']! }, { key: secrets['one key']! }),
    await call(server, 'POST', '/v1/apps/one/ton/login', {
      body: { id, address: wallet.address, signedMessage: signNonce(wallet, nonce), stateInit: wallet.stateInit },
    }),
  ]
  for (const { status, body } of failures) {
    expect(status).toBeGreaterThanOrEqual(500)
    expect(JSON.stringify(body)).not.toMatch(/select|sqlite|pool|connection|node_modules|\.ts/i)
  }
  expect((await call(server, 'GET', '/readyz')).status).toBe(503)
  expect((await call(server, 'GET', '/healthz')).status).toBe(200)
  const log = server.logged()
  expect(log).not.toBe('')
  for (const [name, secret] of Object.entries({ ...secrets, ...personal, nonce }))
    for (const spelling of spellings(secret)) expect(log.includes(spelling), name).toBe(false)
})

test('the database at rest holds no secret and nothing personal in clear', async () => {
  const databaseUrl = await freshDatabase()
  const server = await startServer({ databaseUrl })
  const secrets = await useEverything(server)
  await server.runtime.activity.flush(true)
  const dump = await dumpDatabase(databaseUrl)
  // What is meant to be there in clear is found, so the search works.
  expect(dump).toContain('Telegram')
  expect(dump).toContain('127.0.0.1')
  for (const [name, secret] of Object.entries({ ...secrets, ...personal, email: 'example.com', title: 'the Great' }))
    for (const spelling of spellings(secret)) expect(dump.includes(spelling), name).toBe(false)
  // Neither a plain hash by which a guess at something personal could be proved.
  for (const [name, value] of Object.entries({ ...personal, email: secrets['one email']! })) {
    const digest = createHash('sha256').update(value).digest()
    for (const spelling of [digest.toString('latin1'), digest.toString('hex')])
      expect(dump.includes(spelling), name).toBe(false)
  }
  expect(dump.includes(JSON.stringify({ kty: 'OKP' }).slice(1, -1))).toBe(true)
  expect(dump).not.toMatch(/"d":"[\w-]{43}"/)
})
