import { generateKeyPairSync } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { checkLogoutToken } from '../../server/token/checkLogoutToken.ts'
import { signJwt } from '../../server/token/jwt.ts'
import { local, newEndpoint, patchEndpoint } from '../support/events.ts'
import { listen } from '../support/listen.ts'
import { bearer, consoleClient, operatorToken, refusalCode } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
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

test('the log shows what each try sent, taken apart, and every rule that its receiver checks', async () => {
  const { server, app, told, pass, answers, endpoint } = await setUp()
  const { api } = await operatorOf(server)
  answers(503)
  const login = (await signInWithTelegram(server, app)).body
  await call(server, 'POST', '/v1/logout', { token: login['accessToken'] })
  await pass()
  answers(204)
  await pass(400)
  const { items } = await api.notifications.list.query({
    endpointId: server.runtime.vault.ids.seal('whe', endpoint.row.id),
  })
  const detail = await api.notifications.get.query({ id: items[0]!.id })
  const delivery = detail.deliveries.find(({ logout }) => logout)!
  expect(delivery.status).toBe('delivered')
  expect(delivery.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
    [1, 'http_5xx'],
    [2, 'ok'],
  ])
  for (const [at, attempt] of delivery.attempts.entries()) {
    const { token } = told[at]!
    const request = attempt.request!
    expect(request.body).toBe(new URLSearchParams({ logout_token: token }).toString())
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    // What the webhook's own signature covers is what was sent, not the event behind it.
    expect(request.signedContent.endsWith(`.${request.body}`)).toBe(true)
    expect(new Webhook(endpoint.secret).sign(items[0]!.id, new Date(attempt.at), request.body)).toBe(
      request.headers['webhook-signature'],
    )
    const { header, claims, checks } = attempt.logoutToken!
    expect([header, claims]).toEqual([decodeProtectedHeader(token), decodeJwt(token)])
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual(
      ['typ', 'signature', 'iss', 'aud', 'iat, exp', 'sub, sid', 'events', 'jti', 'nonce'].map((name) => [name, true]),
    )
  }
  // The last endpoint for events shows no token.
  expect(detail.deliveries.filter(({ logout }) => !logout).flatMap(({ attempts }) => attempts)).toEqual([])
})

test('any token that breaks a rule is told from a good one, rule by rule', async () => {
  const { server, app, told, pass } = await setUp()
  const { accessToken } = (await signInWithTelegram(server, app)).body
  await call(server, 'POST', '/v1/logout', { token: accessToken })
  await pass()
  const { runtime } = server
  const good = told[0]!.token
  const failing = async (token: string, audience: string | undefined = 'quest', at = server.clock.now) =>
    (await checkLogoutToken(runtime, token, { audience, at }))?.checks.filter(({ ok }) => !ok).map(({ name }) => name)
  expect(await failing(good)).toEqual([])
  expect(await failing(good, undefined)).toEqual([])
  expect(await failing(good, 'elsewhere')).toEqual(['aud'])
  expect(await failing(good, 'quest', new Date(server.clock.now.getTime() + 120_000))).toEqual(['iat, exp'])
  expect(await failing(good, 'quest', new Date(server.clock.now.getTime() - 5_000))).toEqual(['iat, exp'])
  const claims = decodeJwt(good)
  const key = await runtime.keys.active()
  const signed = (more: Record<string, unknown>, typ = 'logout+jwt') => signJwt(key, typ, { ...claims, ...more })
  const event = 'http://schemas.openid.net/event/backchannel-logout'
  expect(await failing(signed({}, 'at+jwt'))).toEqual(['typ'])
  expect(await failing(signed({ iss: 'https://evil.example' }))).toEqual(['iss'])
  expect(await failing(signed({ nonce: 'n' }))).toEqual(['nonce'])
  expect(await failing(signed({ jti: undefined }))).toEqual(['jti'])
  expect(await failing(signed({ sid: undefined }))).toEqual(['sub, sid'])
  for (const events of [undefined, {}, [], { [event]: true }, { [event]: [] }, { other: {} }])
    expect(await failing(signed({ events }))).toEqual(['events'])
  const { privateKey } = generateKeyPairSync('ed25519')
  expect(await failing(signJwt({ kid: key.kid, privateKey }, 'logout+jwt', claims))).toEqual(['signature'])
  expect(await failing(signJwt({ kid: 'unknown', privateKey }, 'logout+jwt', claims))).toEqual(['signature'])
  const none = `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'logout+jwt', kid: key.kid })).toString('base64url')}.${good.split('.')[1]}.`
  expect(await failing(none)).toEqual(['signature'])
  for (const nothing of ['', 'x', 'a.b.c', '..']) expect(await failing(nothing)).toBeUndefined()
  const { api } = await operatorOf(server)
  expect(await api.tokens.inspect.mutate({ token: good })).toMatchObject({
    kind: 'logout',
    valid: true,
    session: { id: claims['sid'] },
  })
  expect(await api.tokens.inspect.mutate({ token: signed({ nonce: 'n' }) })).toMatchObject({
    kind: 'logout',
    valid: false,
    reason: 'What does not hold: nonce',
  })
})

test('a test event to such an endpoint is a logout token too, and of no other type', async () => {
  const { server, app, told, endpoint } = await setUp()
  const { api } = await operatorOf(server)
  const path = { appId: app.publicId, webhookId: server.runtime.vault.ids.seal('whe', endpoint.row.id) }
  const sent = await api.webhooks.test.mutate({ ...path, type: 'session.ended', user: '1' })
  expect([sent.delivered, told.map(({ form }) => form)]).toEqual([true, [['logout_token']]])
  expect(await refusalCode(api.webhooks.test.mutate({ ...path, type: 'buy.success', user: '1' }))).toBe(
    'invalid_request',
  )
  expect(told.length).toBe(1)
})

test('the metadata says that sessions are told of', async () => {
  const { server } = await setUp()
  for (const name of ['openid-configuration', 'oauth-authorization-server'])
    expect((await call(server, 'GET', `/.well-known/${name}`)).body).toMatchObject({
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
    })
})

async function operatorOf(server: TestServer) {
  return { api: consoleClient(server, bearer(await operatorToken(server))) }
}
