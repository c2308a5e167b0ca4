import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newApiKey, oauth } from '../support/apiKey.ts'
import { call, startServer } from '../support/server.ts'
import { goodClaims, openLoopback, ssoLogin, startSso } from '../support/tokenInfo.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

describe("Gatehouse as another system's tokenInfoURL", () => {
  test("answers Saakuru's six claims, by bearer and by query", async () => {
    const { server, app } = await startSso({ audiences: ['quest'] })
    const login = (await ssoLogin(server, app)).body
    const token = login['accessToken'] as string
    const now = server.clock.now.getTime() / 1000
    const expected = {
      ...{ sub: login['user'].id, iat: now, exp: now + 1800 },
      ...{ email: 'ann@example.com', name: 'Ann', aud: 'quest' },
    }
    const answers = [
      await call(server, 'GET', '/sso/tokeninfo', { token }),
      await call(server, 'GET', `/sso/tokeninfo?token=${token}`),
    ]
    for (const answer of answers) {
      expect([answer.status, answer.body]).toEqual([200, expected])
      expect(answer.headers.get('cache-control')).toBe('no-store')
    }
    expect(server.logged()).not.toContain(token)
  })

  test('refuses what is no live access token with 401, and is no activity', async () => {
    const server = await startServer()
    const app = await telegramApp(server, { sessionPolicy: { idleTimeout: 100 } })
    const login = (await signInWithTelegram(server, app)).body
    const token = login['accessToken'] as string
    const ask = (token: string) => call(server, 'GET', `/sso/tokeninfo?token=${encodeURIComponent(token)}`)
    for (const wrong of ['x', '', `${token}x`, login['refreshToken'] as string, 'x'.repeat(8_000)])
      expect((await ask(wrong)).status).toBe(401)
    expect((await call(server, 'GET', '/sso/tokeninfo')).status).toBe(401)
    expect((await call(server, 'GET', `/sso/tokeninfo?token=${token}&token=${token}`)).status).toBe(400)
    server.clock.pass(99)
    expect((await ask(token)).status).toBe(200)
    server.clock.pass(1)
    expect((await ask(token)).body).toMatchObject({ status: 401, code: 'session_expired' })
  })

  test('takes an API key of this app only, and keeps to the IP allow-list', async () => {
    const server = await startServer({ env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1' } })
    const app = await telegramApp(server)
    const other = await telegramApp(server, { slug: 'other' })
    const token = (await signInWithTelegram(server, app)).body['accessToken'] as string
    const [own, foreign] = [await newApiKey(server, app), await newApiKey(server, other)]
    const ask = (headers: Record<string, string>) => call(server, 'GET', `/sso/tokeninfo?token=${token}`, { headers })
    expect((await ask({ authorization: `Bearer ${own}` })).status).toBe(200)
    expect((await ask({ 'x-api-key': own })).status).toBe(200)
    expect((await ask({ authorization: `Bearer ${foreign}` })).body).toMatchObject({
      status: 401,
      code: 'token_invalid',
    })
    expect((await ask({ 'x-api-key': 'gh_sk_x' })).body).toMatchObject({ status: 401, code: 'invalid_credentials' })

    await changeApp(server.runtime, cliActor, app.id, { ipAllowList: ['203.0.113.0/24', '2001:db8::/32'] })
    const from = (ip: string, more = {}) => ask({ 'x-forwarded-for': ip, ...more })
    for (const ip of ['203.0.113.9', '2001:db8::7', '::ffff:203.0.113.9']) expect((await from(ip)).status).toBe(200)
    for (const ip of ['203.0.112.9', '2001:db9::1', '127.0.0.1', '203.0.113.9, 198.51.100.1'])
      for (const more of [{}, { 'x-api-key': own }])
        expect((await from(ip, more)).body).toMatchObject({ status: 403, code: 'ip_not_allowed' })
  })

  test("does not believe anybody's X-Forwarded-For", async () => {
    const server = await startServer()
    const app = await telegramApp(server, { ipAllowList: ['203.0.113.0/24'] })
    const key = await newApiKey(server, app)
    const token = (await signInWithTelegram(server, app)).body['accessToken'] as string
    for (const header of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'client-ip', 'true-client-ip']) {
      const headers = { [header]: header === 'forwarded' ? 'for=203.0.113.1' : '203.0.113.1' }
      expect((await call(server, 'GET', '/sso/tokeninfo', { token, headers })).body['code']).toBe('ip_not_allowed')
      for (const path of ['/oauth/introspect', '/oauth/revoke'])
        expect((await oauth(server, path, { token }, { key, headers })).status).toBe(403)
    }
    expect((await call(server, 'GET', '/v1/session', { token })).status).toBe(200)
  })

  test('serves one Gatehouse app as the sign-in of another', async () => {
    const { server, tokenInfo, app } = await startSso({ audiences: ['quest'] })
    const gate = await startServer({ env: openLoopback })
    const guest = await gate.createApp({ sso: { tokenInfoUrl: `${server.url}/sso/tokeninfo`, audiences: ['quest'] } })
    tokenInfo.says(goodClaims(server))
    const token = (await ssoLogin(server, app)).body['accessToken'] as string
    const login = await ssoLogin(gate, guest, token)
    expect(login.body['user']).toMatchObject({ name: 'Ann', email: 'ann@example.com' })
    await call(server, 'POST', '/v1/logout', { token })
    gate.clock.pass(1)
    expect((await ssoLogin(gate, guest, token)).body).toMatchObject({ status: 401, code: 'sso_token_rejected' })
  })
})
