import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { emptyDatabase } from '../support/database.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { readVectors } from '../support/readVectors.ts'
import { call } from '../support/server.ts'
import { botToken, initData, person } from '../support/telegram.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-verify-'))
let files = 0
function fileOf(data: unknown): string {
  const path = join(folder, String(files++))
  writeFileSync(path, typeof data === 'string' ? data : JSON.stringify(data))
  return path
}

async function verify(args: string[], input = ''): Promise<[number | null, any]> {
  const { code, stderr, json } = await gatehouse({ PATH: '' }, ['verify', ...args], input)
  expect(stderr).toBe('')
  return [code, json()]
}

// Checks that need no database need not run once per engine.
if (dialect === 'sqlite') {
  test('verify telegram accepts a published sample and says what is wrong with an altered or an old one', async () => {
    const { vectors } = readVectors<{ vectors: { botToken: string; initData: string; genuine?: boolean }[] }>(
      'telegram-initdata-hmac.json',
    )
    const { botToken: token, initData: data } = vectors.find(({ genuine }) => genuine)!
    const authDate = Number(new URLSearchParams(data).get('auth_date'))
    const args = (text: string, ...more: string[]) => ['telegram', '--bot-token-stdin', '--data', fileOf(text), ...more]
    const now = ['--now', String(authDate + 10)]

    const good = await verify(args(data, ...now), `${token}\n`)
    expect(good).toMatchObject([0, { valid: true, kind: 'initData', user: { id: '279058397' } }])
    const altered = await verify(args(data.replace('Vladislav', 'Mallory00'), ...now), token)
    expect(altered).toMatchObject([1, { valid: false, code: 'invalid_signature', reason: expect.any(String) }])
    expect(await verify(args(data), token)).toMatchObject([1, { valid: false, code: 'login_expired' }])
    expect(await verify(args(data, ...now, '--max-age', '5'), token)).toMatchObject([1, { code: 'login_expired' }])
    expect(await verify(args(data, ...now), '1:wrong')).toMatchObject([1, { valid: false }])
    expect(await verify(args(data, ...now))).toMatchObject([1, { valid: false, reason: /standard input/ }])
    expect(await verify(['telegram', '--bot-token-stdin', '--data', '/nowhere'], token)).toMatchObject([
      1,
      { valid: false },
    ])
  })

  test('verify ton-proof accepts a published sample and says what is wrong with altered ones', async () => {
    type Vector = {
      address: string
      proof: { timestamp: number; domain: { value: string }; payload: string }
    }
    const [vector] = readVectors<{ vectors: [Vector] }>('ton-proof.json').vectors
    const args = (data: unknown, ...more: string[]) => ['ton-proof', '--data', fileOf(data), ...more]
    const now = ['--now', String(vector.proof.timestamp + 10)]
    const { value } = vector.proof.domain

    expect(await verify(args(vector, ...now, '--domain', value, '--payload', vector.proof.payload))).toMatchObject([
      0,
      { valid: true, address: vector.address, domain: value, skipped: [] },
    ])
    expect(await verify(args(vector, ...now, '--domain', 'a.example', '--domain', 'b.example'))).toMatchObject([
      1,
      { valid: false, code: 'invalid_signature' },
    ])
    expect(await verify(args(vector, ...now, '--payload', 'another'))).toMatchObject([1, { code: 'nonce_invalid' }])
    expect(await verify(args(vector))).toMatchObject([1, { code: 'login_expired' }])
    const later = { ...vector, proof: { ...vector.proof, timestamp: vector.proof.timestamp + 1 } }
    expect(await verify(args(later, ...now))).toMatchObject([1, { code: 'invalid_signature' }])

    expect(await verify(['ton-address', '--data', fileOf(vector)])).toMatchObject([0, { valid: true }])
    const moved = { ...vector, address: `0:${'0'.repeat(64)}` }
    expect(await verify(['ton-address', '--data', fileOf(moved)])).toMatchObject([1, { valid: false }])
  })
}

test('verify token says why a token is refused, beside a running server', async () => {
  const env = environment(await emptyDatabase())
  await gatehouse(
    env,
    ['apply', '-f', '-'],
    JSON.stringify({ apps: [{ slug: 'q', name: 'Q', telegram: { botToken } }] }),
  )
  const server = await startServing(env)
  const body = { initData: initData(person(1), new Date()) }
  const login = await call(server, 'POST', '/v1/apps/q/telegram/login', { body })
  const token = login.body['accessToken'] as string
  const check = async (text: string) => {
    const { code, json } = await gatehouse(env, ['verify', 'token', text])
    return [code, json()]
  }
  expect(await check(token)).toMatchObject([0, { valid: true, kind: 'jwt', session: { id: login.body['session'].id } }])
  expect(await check(login.body['refreshToken'])).toMatchObject([0, { valid: true, kind: 'refresh' }])
  expect(await check(`${token.slice(0, -9)}AAAAAAAAA`)).toMatchObject([1, { valid: false, code: 'token_invalid' }])
  await call(server, 'POST', '/v1/logout', { token })
  expect(await check(token)).toMatchObject([
    1,
    { valid: false, code: 'session_revoked', session: { endReason: 'logout' }, reason: expect.any(String) },
  ])
})

if (dialect === 'sqlite') {
  test('verify webhook accepts a genuine message and says why another one is refused', async () => {
    const [vector] = readVectors<{
      sign: [{ secret: string; id: string; timestamp: number; payload: string; signature: string }]
    }>('standard-webhooks.json').sign
    const headers = {
      'webhook-id': vector.id,
      'webhook-timestamp': String(vector.timestamp),
      'webhook-signature': vector.signature,
    }
    const args = (body: string, at = vector.timestamp) => [
      ...['webhook', '--secret-stdin', '--now', String(at)],
      ...['--data', fileOf({ headers, body })],
    ]
    expect(await verify(args(vector.payload), vector.secret)).toMatchObject([0, { valid: true }])
    const cases = [
      [args('{"test": 1}'), /No signature fits/],
      [args(JSON.stringify(JSON.parse(vector.payload))), /No signature fits/],
      [args(vector.payload, vector.timestamp + 301), /more than the 300 s/],
      [['webhook', '--secret-stdin', '--data', fileOf('nonsense')], /neither JSON/],
    ] as const
    for (const [given, reason] of cases)
      expect(await verify([...given], vector.secret)).toMatchObject([1, { valid: false, reason }])
    expect(await verify(args(vector.payload), '')).toMatchObject([1, { valid: false, reason: /standard input/ }])
  })
}
