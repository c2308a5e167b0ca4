import { createLocalJWKSet, createRemoteJWKSet, customFetch as keyFetch, jwtVerify, type JSONWebKeySet } from 'jose'
import { inflateSync } from 'node:zlib'
import * as client from 'openid-client'
import { expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { rotateKeys } from '../../server/token/rotate.ts'
import { newApiKey } from '../support/apiKey.ts'
import { newEndpoint } from '../support/events.ts'
import { listen } from '../support/listen.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { openLoopback, ssoLogin } from '../support/tokenInfo.ts'

/** One Gatehouse whose people sign in with Telegram, and another that takes its access tokens: each at a public address of its own. */
async function startChain(tokenIn = 'bearer', headers: (key: string) => Record<string, string> = () => ({})) {
  // The same moment, for openid-client and jose look at the machine's clock.
  const now = new Date()
  const house = await startServer({ now, env: { GATEHOUSE_PUBLIC_URL: 'https://house.example' } })
  const home = await telegramApp(house, { audiences: ['home'], sessionPolicy: { maxConcurrentSessions: 5 } })
  const gate = await startServer({ now, env: { ...openLoopback, GATEHOUSE_PUBLIC_URL: 'https://gate.example' } })
  const guest = await gate.createApp({
    audiences: ['guest'],
    sso: {
      tokenInfoUrl: `${house.url}/sso/tokeninfo`,
      audiences: ['home'],
      tokenIn,
      headers: headers(await newApiKey(house, home)),
    },
  })
  const homeToken = async () => (await signInWithTelegram(house, home)).body['accessToken'] as string
  return { house, home, gate, guest, homeToken }
}

/** A client of foreign make, told the public address; the tests' servers listen elsewhere. */
async function foreignClient(server: TestServer, app: { publicId: string }, key: string) {
  const issuer = server.runtime.config.publicUrl
  const reach = (url: string, init?: object) => fetch(url.replace(issuer, server.url), init)
  const configuration = await client.discovery(
    new URL(issuer),
    app.publicId,
    undefined,
    client.ClientSecretBasic(key),
    { algorithm: 'oauth2', [client.customFetch]: reach },
  )
  const keys = createRemoteJWKSet(new URL(configuration.serverMetadata().jwks_uri!), { [keyFetch]: reach })
  return { configuration, issuer, keys, reach }
}

const type = 'urn:ietf:params:oauth:token-type:access_token'

const exchange = (configuration: client.Configuration, token: string) =>
  client.genericGrantRequest(configuration, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: token,
    subject_token_type: type,
  })

test.each<[string, string, (key: string) => Record<string, string>]>([
  ['as bearer', 'bearer', () => ({})],
  ['as bearer, with an API key of its own', 'bearer', (key) => ({ 'x-api-key': key })],
  ['in the address, with an API key as bearer', 'query:token', (key) => ({ authorization: `Bearer ${key}` })],
])('one Gatehouse vouches for another’s users, asked %s', async (_name, tokenIn, headers) => {
  const { house, gate, guest, homeToken } = await startChain(tokenIn, headers)
  const token = await homeToken()
  const { body } = await ssoLogin(gate, guest, token)
  expect(body['user']).toMatchObject({ name: 'Alice Ito' })
  // The person is the one that the first knows, whatever token they come with.
  const again = await ssoLogin(gate, guest, await homeToken())
  expect(again.body['user'].id).toBe(body['user'].id)
  // A token of the second is none of the first, and no way in at the second either.
  const foreign = await ssoLogin(gate, guest, again.body['accessToken'])
  expect([foreign.status, foreign.body['code'], foreign.body['upstreamStatus']]).toEqual([
    401,
    'sso_token_rejected',
    401,
  ])
  expect((await call(house, 'GET', '/sso/tokeninfo', { token: again.body['accessToken'] })).status).toBe(401)
})

test('openid-client exchanges, introspects, refreshes and revokes along the chain, and jose verifies what it gets', async () => {
  const { gate, guest, homeToken } = await startChain()
  const { configuration, issuer, keys } = await foreignClient(gate, guest, await newApiKey(gate, guest))
  const tokens = await exchange(configuration, await homeToken())
  expect(tokens).toMatchObject({ issued_token_type: type, token_type: 'bearer', expires_in: 1800 })
  const rules = { issuer, audience: 'guest', typ: 'at+jwt', algorithms: ['EdDSA'] }
  const { payload } = await jwtVerify(tokens.access_token, keys, rules)
  const introspected = await client.tokenIntrospection(configuration, tokens.access_token)
  const { sub, sid, aud, iss, exp, iat, jti, client_id } = introspected
  expect({ sub, sid, aud, iss, exp, iat, jti, client_id }).toEqual({
    ...{ sub: payload.sub, sid: payload['sid'], aud: payload.aud, iss: payload.iss, exp: payload.exp },
    ...{ iat: payload.iat, jti: payload.jti, client_id: payload['client_id'] },
  })
  const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token!)
  expect((await jwtVerify(refreshed.access_token, keys, rules)).payload['sid']).toBe(sid)
  await client.tokenRevocation(configuration, tokens.refresh_token!, { token_type_hint: 'refresh_token' })
  for (const token of [tokens.access_token, refreshed.access_token, tokens.refresh_token!])
    expect(await client.tokenIntrospection(configuration, token)).toEqual({ active: false })
  await expect(client.refreshTokenGrant(configuration, tokens.refresh_token!)).rejects.toMatchObject({
    error: 'invalid_grant',
    status: 400,
  })
})

test('what ends at the first is no way into the second any longer, and does not end what is open there', async () => {
  const { house, home, gate, guest, homeToken } = await startChain()
  const { configuration } = await foreignClient(gate, guest, await newApiKey(gate, guest))
  const token = await homeToken()
  const { access_token: open } = await exchange(configuration, token)
  await call(house, 'POST', '/v1/logout', { token })
  for (const server of [house, gate]) server.clock.pass(1)
  await expect(exchange(configuration, token)).rejects.toMatchObject({ error: 'invalid_request', status: 400 })
  expect((await client.tokenIntrospection(configuration, open)).active).toBe(true)
  // Five refused tokens are no failing server; a first that is switched off refuses too.
  const another = await homeToken()
  await changeApp(house.runtime, cliActor, home.id, { disabled: true })
  for (let times = 0; times < 6; times++)
    await expect(exchange(configuration, `${another}${times}`)).rejects.toMatchObject({ status: 400 })
  await expect(exchange(configuration, another)).rejects.toMatchObject({ error: 'invalid_request' })
})

test('a change of keys at either end of the chain is not felt', async () => {
  const { house, gate, guest, homeToken } = await startChain()
  const { configuration, issuer, reach } = await foreignClient(gate, guest, await newApiKey(gate, guest))
  const [early, late] = [await homeToken(), await homeToken()]
  const before = await exchange(configuration, early)
  for (const { runtime } of [house, gate]) await rotateKeys(runtime, cliActor)
  const after = await exchange(configuration, late)
  const jwks = (await (await reach(configuration.serverMetadata().jwks_uri!)).json()) as JSONWebKeySet
  // Both signatures hold; that the first session gave way to the second only its issuer tells.
  for (const { access_token } of [before, after])
    await jwtVerify(access_token, createLocalJWKSet(jwks), { issuer, audience: 'guest', typ: 'at+jwt' })
  expect((await client.tokenIntrospection(configuration, before.access_token)).active).toBe(false)
  expect((await client.tokenIntrospection(configuration, after.access_token)).active).toBe(true)
})

test('whom the second signs out learns it by a logout token, the status list and introspection alike', async () => {
  const { gate, guest, homeToken } = await startChain()
  const { configuration, issuer, keys, reach } = await foreignClient(gate, guest, await newApiKey(gate, guest))
  const told: string[] = []
  const url = await listen((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      told.push(body)
      response.writeHead(204).end()
    })
  })
  await newEndpoint(gate, guest, url, { payloadFormat: 'logout_token' })
  const evicted = await exchange(configuration, await homeToken())
  const { payload } = await jwtVerify(evicted.access_token, keys, { issuer, typ: 'at+jwt' })
  const place = (payload as { status: { status_list: { idx: number; uri: string } } }).status.status_list
  const bit = async () => {
    const list = await (await reach(place.uri, { headers: { accept: 'application/statuslist+jwt' } })).text()
    const read = await jwtVerify(list, keys, { issuer, subject: place.uri, typ: 'statuslist+jwt' })
    const { bits, lst } = (read.payload as unknown as { status_list: { bits: 1; lst: string } }).status_list
    expect(bits).toBe(1)
    return (inflateSync(Buffer.from(lst, 'base64url'))[place.idx >> 3]! >> (place.idx & 7)) & 1
  }
  expect(await bit()).toBe(0)
  await exchange(configuration, await homeToken())
  await gate.runtime.outbox.pass()
  const [body] = told
  expect(told).toHaveLength(1)
  const logout = await jwtVerify(new URLSearchParams(body).get('logout_token')!, keys, {
    ...{ issuer, audience: 'guest', typ: 'logout+jwt' },
    requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub', 'sid'],
  })
  expect([logout.payload.sub, logout.payload['sid'], logout.payload['nonce']]).toEqual([
    payload.sub,
    payload['sid'],
    undefined,
  ])
  await expect.poll(bit).toBe(1)
  expect(await client.tokenIntrospection(configuration, evicted.access_token)).toEqual({ active: false })
})
