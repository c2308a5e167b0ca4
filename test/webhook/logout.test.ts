import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose'
import { expect, test } from 'vitest'
import { local, newEndpoint, patchEndpoint } from '../support/events.ts'
import { listen } from '../support/listen.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

type Told = { contentType: string | undefined; token: string; form: string[] }

async function setUp() {
  const server = await startServer({ env: local, now: new Date() })
  const app = await telegramApp(server, { audiences: ['quest'] })
  const told: Told[] = []
  let status = 200
  const url = await listen((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const form = new URLSearchParams(body)
      told.push({
        contentType: request.headers['content-type'],
        token: form.get('logout_token')!,
        form: [...form.keys()],
      })
      response.writeHead(status).end()
    })
  })
  const endpoint = await newEndpoint(server, app, url, { payloadFormat: 'logout_token', ratePerSecond: 1000 })
  const pass = (seconds = 0) => {
    server.clock.pass(seconds)
    return server.runtime.outbox.pass()
  }
  return { server, app, told, pass, endpoint, answers: (next: number) => void (status = next) }
}

test('the end of a session is told by a logout token that the published keys verify (OpenID Connect Back-Channel Logout 1.0)', async () => {
  const { server, app, told, pass } = await setUp()
  const login = (await signInWithTelegram(server, app)).body
  await signInWithTelegram(server, app)
  await pass()
  expect(told.length).toBe(1)
  expect([told[0]!.contentType, told[0]!.form]).toEqual(['application/x-www-form-urlencoded', ['logout_token']])
  const jwks = (await (await fetch(`${server.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet
  const { payload, protectedHeader } = await jwtVerify(told[0]!.token, createLocalJWKSet(jwks), {
    typ: 'logout+jwt',
    issuer: 'http://localhost:3000',
    audience: 'quest',
    currentDate: server.clock.now,
  })
  const iat = Math.floor(server.clock.now.getTime() / 1000)
  expect(protectedHeader.alg).toBe('EdDSA')
  expect(payload).toEqual({
    iss: 'http://localhost:3000',
    aud: 'quest',
    sub: login['user'].id,
    sid: login['session'].id,
    iat,
    exp: iat + 120,
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  // A logout token is no access token (§4: cross-JWT confusion).
  expect((await call(server, 'GET', '/v1/session', { token: told[0]!.token })).body).toMatchObject({
    code: 'token_invalid',
  })
})

test('it is tried again by the schedule of webhooks, each time with a fresh token, and nothing else goes there', async () => {
  const { server, app, told, pass, answers } = await setUp()
  answers(503)
  const { accessToken } = (await signInWithTelegram(server, app)).body
  await call(server, 'POST', '/v1/logout', { token: accessToken })
  await pass()
  answers(204)
  await pass(400)
  await pass(86_400)
  const tokens = told.map(({ token }) => decodeJwt(token))
  expect(tokens.map(({ sid }) => sid)).toEqual([tokens[0]!['sid'], tokens[0]!['sid']])
  expect(tokens[1]!.exp! - tokens[0]!.exp!).toBeGreaterThanOrEqual(400)
  expect(tokens[1]!.jti).not.toBe(tokens[0]!.jti)
})

test('such an endpoint takes no other types of event', async () => {
  const { server, app, endpoint } = await setUp()
  expect(JSON.parse(endpoint.row.types)).toEqual(['session.ended'])
  const patched = await patchEndpoint(server, app, endpoint.row.id, { types: ['*'] })
  expect(JSON.parse(patched.types)).toEqual(['session.ended'])
  const plain = await patchEndpoint(server, app, endpoint.row.id, { payloadFormat: 'standard', types: ['*'] })
  expect(JSON.parse(plain.types)).toEqual(['*'])
})
