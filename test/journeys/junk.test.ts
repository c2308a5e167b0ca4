import { expect, test } from 'vitest'
import { newApiKey } from '../support/apiKey.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, initData, loginWidget } from '../support/telegram.ts'
import { account, newWallet, signNonce, tonProof } from '../support/wallet.ts'

const junk: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  '',
  ' ',
  '\u0000',
  '\ud800',
  "'; drop table users; --",
  '${7*7}{{7*7}}',
  '../../etc/passwd',
  '٣',
  'x'.repeat(3000),
  'ses_00000000000000000000000000',
  `gh_at_${'A'.repeat(64)}`,
  [],
  [[]],
  {},
  { $ne: null },
  { toString: 'x', length: -1 },
]

/** Every body that differs from `body` in one member, at any depth: junk in its place, or left out. */
function* spoil(body: unknown): Generator<unknown> {
  if (typeof body !== 'object' || body === null) return
  for (const [name, value] of Object.entries(body)) {
    for (const instead of junk) yield { ...body, [name]: instead }
    const { [name]: _, ...rest } = body as Record<string, unknown>
    yield rest
    for (const inner of spoil(value)) yield { ...body, [name]: inner }
  }
}

test('no junk in any member of any call is an error of ours or a way in', async () => {
  const server = await startServer({ env: { GATEHOUSE_RATE_LIMITS: 'off' } })
  const app = await telegramApp(server, { ton: { domains: ['quest.example.com'] } })
  const login = (await signInWithTelegram(server, app)).body
  const token = login['accessToken'] as string
  const wallet = newWallet()
  const nonce = await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })
  const { id, nonce: text } = nonce.body as { id: string; nonce: string }
  const now = server.clock.now

  const bodies: [method: string, path: string, body: unknown, open?: RegExp][] = [
    ['POST', `/v1/apps/${app.slug}/telegram/login`, { initData: initData(alice, now) }],
    ['POST', `/v1/apps/${app.slug}/telegram/login`, { loginWidget: loginWidget(alice, now) }],
    ['POST', `/v1/apps/${app.slug}/telegram/login`, { idToken: 'a.b.c', nonce: 'n' }],
    ['POST', `/v1/apps/${app.slug}/ton/nonce`, { address: wallet.address }, /^\{\}$/],
    ['POST', `/v1/token/refresh`, { refreshToken: login['refreshToken'] }],
    [
      'POST',
      `/v1/apps/${app.slug}/ton/login`,
      {
        id,
        address: wallet.address,
        signedMessage: 'A'.repeat(86),
        publicKey: wallet.publicKey.toString('hex'),
        stateInit: wallet.stateInit,
      },
    ],
    [
      'POST',
      `/v1/apps/${app.slug}/ton/login`,
      { id, account: account(wallet), proof: { ...tonProof(wallet, text, now), signature: `${'A'.repeat(86)}==` } },
    ],
    ['PATCH', '/v1/me', { name: 'A', email: 'a@example.com', language: 'en' }, /./],
  ]
  let tries = 0
  for (const [method, path, good, open] of bodies) {
    for (const body of spoil(good)) {
      const answer = await call(server, method, path, { body, token })
      const label = `${method} ${path} ${JSON.stringify(body).slice(0, 200)}`
      // A chain that is not configured is the one 503 there may be.
      if (answer.status === 503) expect(answer.body['code'], label).toBe('chain_not_configured')
      else if (!open?.test(JSON.stringify(body))) expect([400, 401], label).toContain(answer.status)
      else expect([200, 201, 400], label).toContain(answer.status)
      expect(answer.body['accessToken'], label).toBeUndefined()
      tries++
    }
  }
  expect(tries).toBeGreaterThan(500)

  // The nonce is still good after all that, and so is the session.
  const body = { id, address: wallet.address, signedMessage: signNonce(wallet, text), stateInit: wallet.stateInit }
  expect((await call(server, 'POST', `/v1/apps/${app.slug}/ton/login`, { body })).status).toBe(200)
  expect((await call(server, 'GET', '/v1/session', { token })).status).toBe(200)
}, 60_000)

test('no junk in a path or a header is an error of ours', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const token = (await signInWithTelegram(server, app)).body['accessToken'] as string
  const key = await newApiKey(server, app)
  for (const thing of junk) {
    const text = encodeURIComponent((typeof thing === 'string' ? thing : String(JSON.stringify(thing))).toWellFormed())
    for (const [method, path] of [
      ['POST', `/v1/apps/${text}/telegram/login`],
      ['POST', `/v1/apps/${text}/ton/nonce`],
      ['DELETE', `/v1/me/sessions/${text}`],
      ['GET', `/v1/session?${text}=${text}`],
      ['GET', `/v1/${text}`],
    ] as const) {
      const answer = await call(server, method, path, { token, ...(method === 'POST' && { body: {} }) })
      expect([200, 400, 404, 405], `${method} ${path}`).toContain(answer.status)
    }
    for (const name of ['user-agent', 'x-forwarded-for', 'origin', 'accept', 'if-none-match', 'traceparent', 'range']) {
      const answer = await call(server, 'GET', '/v1/session', { token, headers: { [name]: text } })
      expect(answer.status, `${name}: ${text.slice(0, 50)}`).toBe(200)
    }
    const form = await fetch(`${server.url}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: `token=${text}&token_type_hint=${text}&${text}=1`,
    })
    expect([200, 400], text).toContain(form.status)
    if (form.status === 200) expect(await form.text()).toBe('{"active":false}')
  }
})
