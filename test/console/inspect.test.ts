import { expect, test } from 'vitest'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

test('a pasted API key says whose it is, what it may, and whether it still holds', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { slug: 'quest' })
  const other = await telegramApp(server, { slug: 'other' })
  const owner = await operatorToken(server)
  const inspect = async (token: string, as = owner) =>
    (await call(server, 'POST', '/api/v1/tokens/inspect', { token: as, body: { token } })).body
  const keys = `/api/v1/apps/${app.publicId}/api-keys`
  const expiresAt = '2026-06-01T13:00:00.000Z'
  const body = { name: 'backend', scopes: ['tokens:introspect', 'events:write'], expiresAt }
  const { key, id } = (await call(server, 'POST', keys, { token: owner, body })).body as { key: string; id: string }

  expect(await inspect(key)).toMatchObject({
    kind: 'apiKey',
    valid: true,
    reason: null,
    session: null,
    checks: [
      { name: 'Form', ok: true },
      { name: 'Secret', ok: true, detail: 'of the key backend of Ton Quest; it may tokens:introspect, events:write' },
      { name: 'Expiry', ok: true, detail: `until ${expiresAt}` },
      { name: 'App', ok: true },
    ],
  })
  const items = async () => (await call(server, 'GET', keys, { token: owner })).body['items']
  expect((await items())[0].lastUsedAt).toBeNull()

  // Whoever looks after another app learns nothing of it.
  const viewer = {
    email: 'v@example.com',
    role: 'viewer',
    password: 'a long enough password',
    appIds: [other.publicId],
  }
  expect((await call(server, 'POST', '/api/v1/operators', { token: owner, body: viewer })).status).toBe(201)
  const cookie = (
    await call(server, 'POST', '/trpc/auth.signIn', { body: { email: viewer.email, password: viewer.password } })
  ).headers
    .get('set-cookie')!
    .split(';')[0]!
  const headers = { cookie, origin: 'http://localhost:3000' }
  const elsewhere = await call(server, 'POST', '/api/v1/tokens/inspect', { headers, body: { token: key } })
  expect([elsewhere.status, JSON.stringify(elsewhere.body)]).toEqual([404, expect.not.stringContaining('Ton Quest')])

  await call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, { token: owner, body: { disabled: true } })
  expect(await inspect(key)).toMatchObject({ valid: false, code: 'app_disabled' })
  await call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, { token: owner, body: { disabled: false } })
  server.clock.pass(3600)
  expect(await inspect(key)).toMatchObject({
    valid: false,
    code: 'token_expired',
    reason: expect.stringContaining('expired'),
  })
  await call(server, 'DELETE', `${keys}/${id}`, { token: owner })
  expect(await inspect(key)).toMatchObject({ kind: 'apiKey', valid: false, code: 'token_invalid' })
})

test('a pasted operator token says whether it still holds, and not whose it is', async () => {
  const server = await startServer()
  const owner = await operatorToken(server)
  const inspect = async (token: string) =>
    (await call(server, 'POST', '/api/v1/tokens/inspect', { token: owner, body: { token } })).body
  const made = await call(server, 'POST', '/api/v1/operator-tokens', { token: owner, body: { name: 'deploy' } })
  const { token, id } = made.body as { token: string; id: string }
  const good = await inspect(token)
  expect(good).toMatchObject({ kind: 'operatorToken', valid: true, reason: null })
  expect(JSON.stringify(good)).not.toMatch(/deploy|example\.com/)
  await call(server, 'DELETE', `/api/v1/operator-tokens/${id}`, { token: owner })
  expect(await inspect(token)).toMatchObject({ kind: 'operatorToken', valid: false, code: 'token_invalid' })
})

test('a pasted access token says who it is for, and whether new ones still are', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { audiences: ['quest', 'quest-staging'] })
  const owner = await operatorToken(server)
  const { accessToken } = (await signInWithTelegram(server, app)).body as { accessToken: string }
  const audience = async (token = accessToken) => {
    const body = { token }
    const found = await call(server, 'POST', '/api/v1/tokens/inspect', { token: owner, body })
    return found.body['checks'].find(({ name }: { name: string }) => name === 'Audience')
  }
  expect(await audience()).toEqual({ name: 'Audience', ok: true, detail: 'aud is quest, quest-staging' })
  const body = { audiences: ['quest', 'quest-eu'] }
  await call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, { token: owner, body })
  expect((await audience()).detail).toBe('aud is quest, quest-staging; tokens made from now on carry quest, quest-eu')
  // A token that only claims to be of an app learns nothing of it.
  const [header, , signature] = accessToken.split('.')
  const claims = Buffer.from(JSON.stringify({ client_id: app.publicId, aud: 'x' })).toString('base64url')
  expect((await audience(`${header}.${claims}.${signature}`)).detail).toBe('aud is x')
  const none = Buffer.from(JSON.stringify({ client_id: app.publicId })).toString('base64url')
  expect(await audience(`${header}.${none}.${signature}`)).toMatchObject({ ok: false, detail: 'aud is missing' })
})
