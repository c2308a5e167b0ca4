import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { bearer, consoleClient, operatorToken, refusalCode } from '../support/operator.ts'
import { call } from '../support/server.ts'
import { answerJson, goodClaims, ssoLogin, startSso } from '../support/tokenInfo.ts'

async function setUp(input: Parameters<typeof startSso>[0] = {}) {
  const found = await startSso(input)
  const credential = bearer(await operatorToken(found.server))
  return { ...found, credential, api: consoleClient(found.server, credential), id: found.app.publicId }
}

describe('the SSO workbench', () => {
  test('shows what went out, what came back and every check, and signs nobody in', async () => {
    const { server, tokenInfo, api, id, credential } = await setUp({ sso: { headers: { 'x-api-key': 'hush-hush' } } })
    tokenInfo.says(goodClaims(server, { aud: 'else', exp: 5, echo: ['tok-en', 'hush-hush'] }))
    const trial = await api.sso.try.mutate({ id, token: 'tok-en' })
    expect(trial).toMatchObject({
      accepted: false,
      verdict: 'The claims do not hold',
      request: {
        method: 'GET',
        url: tokenInfo.url,
        body: null,
        headers: [
          { name: 'accept', value: 'application/json' },
          { name: 'x-api-key', value: '••••••••' },
          { name: 'authorization', value: 'Bearer ‹token›' },
        ],
      },
      answer: { status: 200, contentType: 'application/json', cut: false },
      checks: [
        { claim: 'sub', ok: true },
        { claim: 'iat', ok: true },
        { claim: 'exp', ok: false },
        { claim: 'aud', ok: false, reason: "is not one of this app's audience IDs" },
      ],
    })
    expect(trial.timings.total).toBeGreaterThan(0)
    expect(JSON.stringify(trial)).not.toMatch(/tok-en|hush-hush/)
    tokenInfo.says(goodClaims(server))
    expect(await api.sso.try.mutate({ id, token: 'other' })).toMatchObject({
      accepted: true,
      verdict: 'It would sign in 987654321',
    })
    const users = await call(server, 'GET', '/api/v1/users', { headers: credential })
    expect(users.body['items']).toEqual([])
  })

  test('says in plain words what keeps it from asking', async () => {
    const { server, tokenInfo, api, id, app } = await setUp()
    const set = (tokenInfoUrl: string | null) => changeApp(server.runtime, cliActor, app.id, { sso: { tokenInfoUrl } })
    const ask = () => api.sso.try.mutate({ id, token: 'x' })
    tokenInfo.answer = (_asked, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    expect((await ask()).verdict).toBe('It answered 302; only 200 vouches for a token')
    await set('http://169.254.169.254/latest/meta-data')
    expect((await ask()).verdict).toMatch(/^169\.254\.169\.254 is a cloud's metadata service; name it in/)
    expect((await api.sso.health.query({ id })).problem).toMatch(/metadata service/)
    await set(null)
    expect(await refusalCode(ask())).toBe('invalid_request')
  })

  test('is for those who may change the app; its health for all who see it', async () => {
    const { server, id, app } = await setUp()
    const other = await server.createApp({ slug: 'other' })
    for (const role of ['viewer', 'support'] as const) {
      const api = consoleClient(server, bearer(await operatorToken(server, role)))
      expect(await refusalCode(api.sso.try.mutate({ id, token: 'x' }))).toBe('forbidden')
      expect(await refusalCode(api.apps.harden.mutate({ id, rule: 'refresh_reuse' }))).toBe('forbidden')
      expect((await api.sso.health.query({ id })).state).toBe('closed')
    }
    const scoped = consoleClient(server, bearer(await operatorToken(server, 'admin', 's@example.com', [other.id])))
    const refusals = await Promise.all(
      [
        scoped.sso.try.mutate({ id, token: 'x' }),
        scoped.sso.health.query({ id }),
        scoped.apps.posture.query({ id }),
        scoped.apps.harden.mutate({ id, rule: 'refresh_reuse' }),
      ].map(refusalCode),
    )
    expect(refusals).toEqual(Array(4).fill('not_found'))
    expect(app.settings.sessionPolicy.refreshRotation).toBe(false)
  })
})

test('the health of an upstream tells rates, latency, the circuit and why tokens were refused, never a token', async () => {
  const { server, tokenInfo, api, id, app } = await setUp()
  await ssoLogin(server, app, 'good-1')
  tokenInfo.answer = (_asked, response) => answerJson(response, goodClaims(server, { aud: 'else' }))
  await ssoLogin(server, app, 'bad-1')
  server.clock.pass(60)
  tokenInfo.answer = (_asked, response) => response.destroy()
  for (let n = 0; n < 6; n++) await ssoLogin(server, app, `dead-${n}`)
  const health = await api.sso.health.query({ id })
  expect(health).toMatchObject({ state: 'open', retryIn: 10, problem: null, accepted: 1, refused: 1, failed: 5 })
  expect(health.p50).toBeGreaterThan(0)
  expect(health.p99).toBeGreaterThanOrEqual(health.p50!)
  expect(health.minutes).toMatchObject([
    { at: '2026-06-01T12:00:00.000Z', accepted: 1, refused: 1, failed: 0 },
    { at: '2026-06-01T12:01:00.000Z', accepted: 0, refused: 0, failed: 5 },
  ])
  expect(health.refusals.length).toBe(7)
  expect(health.refusals.at(-1)).toEqual({
    at: '2026-06-01T12:00:00.000Z',
    code: 'sso_token_rejected',
    reason: "aud is not one of this app's audience IDs",
    ip: '127.0.0.1',
  })
  expect(JSON.stringify(health)).not.toMatch(/good-1|bad-1|dead-/)
  server.clock.pass(3_600)
  expect(await api.sso.health.query({ id })).toMatchObject({ accepted: 0, failed: 0, p50: null, minutes: [] })
})

describe('the security posture', () => {
  test('of an app as it is made names what the documents ask for, and one click mends it', async () => {
    const { server, api, id, credential } = await setUp({ sso: { tokenInfoUrl: 'https://users.example/tokeninfo' } })
    const before = await api.apps.posture.query({ id })
    expect(before.weaknesses.map((weakness) => weakness.id)).toEqual([
      'refresh_reuse',
      'no_audience',
      'unsaid_email',
      'open_token_info',
    ])
    expect(before.weaknesses[0]).toMatchObject({
      severity: 'high',
      rule: 'RFC 9700 §4.14.2 · ASVS 5.0 10.4.5',
      safer: 'Turn rotation on',
    })
    const mended = await api.apps.harden.mutate({ id, rule: 'refresh_reuse' })
    expect(mended.sessionPolicy.refreshRotation).toBe(true)
    expect((await api.apps.posture.query({ id })).weaknesses.map((weakness) => weakness.id)).not.toContain(
      'refresh_reuse',
    )
    for (const rule of ['refresh_reuse', 'no_audience', 'nothing'])
      expect(await refusalCode(api.apps.harden.mutate({ id, rule }))).toBe('not_found')
    const audit = await call(server, 'GET', '/api/v1/audit', { headers: credential })
    expect(audit.body['items'][0]).toMatchObject({ action: 'app.update' })
  })

  test('finds every weak setting, and each safer value makes it go', async () => {
    const { server, app, api, id } = await setUp({ audiences: ['tomo'] })
    await changeApp(server.runtime, cliActor, app.id, {
      sessionPolicy: {
        maxConcurrentSessions: 10,
        idleTimeout: 2_592_000,
        absoluteTimeout: 31_536_000,
        accessTokenTtl: 86_400,
      },
      telegram: { maxAge: 604_800 },
      allowedOrigins: ['http://app.example', 'https://app.example', 'http://localhost:5173'],
      rateLimits: { signInPerAddress: 1_000_000 },
      sso: {
        tokenInfoUrl: 'http://users.example/t',
        tokenIn: 'query:token',
        clockSkew: 300,
        headers: { 'x-api-key': 'k' },
      },
    })
    const { rules, weaknesses } = await api.apps.posture.query({ id })
    expect(weaknesses.length).toBe(rules - 2)
    for (const { id: rule } of weaknesses) await api.apps.harden.mutate({ id, rule })
    expect((await api.apps.posture.query({ id })).weaknesses).toEqual([])
    const after = await api.apps.get.query({ id })
    expect(after.allowedOrigins).toEqual(['https://app.example', 'http://localhost:5173'])
    expect(after.sso).toMatchObject({
      tokenInfoUrl: 'https://users.example/t',
      tokenIn: 'bearer',
      headerNames: ['x-api-key'],
    })
  })
})
