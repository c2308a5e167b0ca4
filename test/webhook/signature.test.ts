import { createSecretKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { nextTry, readRetryAfter } from '../../server/delivery/schedule.ts'
import { explainSignature, readReceived } from '../../server/webhook/explainSignature.ts'
import { newKeyPair, newSecret, readPrivateKey, readSecret, sign } from '../../server/webhook/sign.ts'
import { readVectors } from '../support/readVectors.ts'

type Vectors = {
  sign: { source: string; secret: string; id: string; timestamp: number; payload: string; signature: string }[]
  verify: {
    name: string
    drop?: string
    timestamp?: string
    skew?: number
    signature?: string
    expect: boolean
    secretPrefix?: boolean
  }[]
  secretsRejected: (string | null)[]
}
const vectors = readVectors<Vectors>('standard-webhooks.json')
const key = (secret: string) => createSecretKey(Buffer.from(secret.slice('whsec_'.length), 'base64'))

test.each(vectors.sign)('signs as $source', ({ secret, id, timestamp, payload, signature }) => {
  // Secrets this short are no longer made, but those libraries sign with them.
  const keys = { secrets: [key(secret)], privateKey: undefined }
  expect(sign(keys, { id, timestamp, body: payload })).toBe(signature)
})

const now = new Date('2026-06-01T12:00:00Z')
const seconds = now.getTime() / 1000
const secret = newSecret()
const message = { id: 'evt_1', timestamp: seconds, body: '{"a": 1}' }
const signature = sign({ secrets: [readSecret(secret)!], privateKey: undefined }, message)
const good = {
  'webhook-id': message.id,
  'webhook-timestamp': String(seconds),
  'webhook-signature': signature,
}
const check = (headers: Record<string, string>, body = message.body, with_ = secret) =>
  explainSignature({ headers, body }, with_, { now })

test.each(vectors.verify.filter(({ secretPrefix }) => secretPrefix !== false))('verifies: $name', (vector) => {
  const stamp = vector.skew === undefined ? (vector.timestamp ?? String(seconds)) : String(seconds + vector.skew)
  const valid = /^\d+$/.test(stamp)
    ? sign({ secrets: [readSecret(secret)!], privateKey: undefined }, { ...message, timestamp: Number(stamp) })
    : signature
  const given = (vector.signature ?? '<VALID>').replace('<VALID:8>', valid.slice(0, 8)).replace('<VALID>', valid)
  const headers: Record<string, string> = {
    'webhook-id': message.id,
    'webhook-timestamp': stamp,
    'webhook-signature': given,
  }
  if (vector.drop) delete headers[vector.drop]
  expect(check(headers).valid).toBe(vector.expect)
})

test.each(vectors.secretsRejected.filter((text) => text !== null))('%j is no secret', (text) => {
  expect(readSecret(text)).toBeUndefined()
})

test('a signature cut short at any place is refused', () => {
  for (let length = 0; length < signature.length; length++)
    expect(check({ ...good, 'webhook-signature': signature.slice(0, length) }).valid).toBe(false)
})

test.each([
  ['the body was parsed and written anew', { signed: '{"a":1}', received: '{"a": 1}' }, 'bytes as they came'],
  ['a line break was added', { signed: '{"a": 1}', received: '{"a": 1}\n' }, 'white space around it'],
  ['a line break was cut off', { signed: '{"a": 1}\n', received: '{"a": 1}' }, 'cut off'],
])('it says what is wrong when %s', (_name, { signed, received }, words) => {
  const keys = { secrets: [readSecret(secret)!], privateKey: undefined }
  const headers = { ...good, 'webhook-signature': sign(keys, { ...message, body: signed }) }
  const found = check(headers, received)
  expect(found.valid).toBe(false)
  expect(found.reason).toContain(words)
})

test('a wrong secret, and a secret that is none, are told apart', () => {
  expect(check(good, message.body, newSecret()).reason).toContain('another endpoint')
  expect(check(good, message.body, 'hunter2').reason).toContain('neither whsec_')
})

test('a v1a signature is checked with the public key', () => {
  const { privateJwk, publicKey } = newKeyPair()
  const both = sign({ secrets: [readSecret(secret)!], privateKey: readPrivateKey(privateJwk) }, message)
  const headers = { ...good, 'webhook-signature': both }
  expect(check(headers, message.body, `whpk_${publicKey}`).valid).toBe(true)
  expect(check(headers, `${message.body} `, `whpk_${publicKey}`).valid).toBe(false)
  expect(check(good, message.body, `whpk_${publicKey}`).reason).toContain('no v1a')
})

test('what is pasted is read as JSON or as a request', () => {
  const headers = { 'webhook-id': 'x', 'content-type': 'application/json' }
  expect(readReceived(JSON.stringify({ headers, body: '{}' }))).toEqual({ headers, body: '{}' })
  const request = 'POST /hook HTTP/1.1\r\nWebhook-Id: x\r\nContent-Type: application/json\r\n\r\n{}'
  expect(readReceived(request)).toEqual({ headers, body: '{}' })
  expect(readReceived('nonsense')).toBeUndefined()
})

test('a try comes after its delay, 0 to 20 % later, and after the tenth never', () => {
  for (const [random, factor] of [
    [0, 1],
    [1, 1.2],
  ] as const) {
    const next = nextTry(1, now, { random: () => random })!
    expect(next.getTime() - now.getTime()).toBe(5_000 * factor)
  }
  expect(nextTry(9, now)!.getTime() - now.getTime()).toBeGreaterThanOrEqual(86_400_000)
  expect(nextTry(10, now)).toBeUndefined()
})

test('Retry-After is read as seconds or as a date, and as nothing else', () => {
  expect(readRetryAfter('120', now)).toBe(120_000)
  expect(readRetryAfter('Mon, 01 Jun 2026 12:01:00 GMT', now)).toBe(60_000)
  expect(readRetryAfter('Mon, 01 Jun 2020 12:01:00 GMT', now)).toBe(0)
  // The three forms of RFC 9110 §5.6.7.
  expect(readRetryAfter('Monday, 01-Jun-26 12:01:00 GMT', now)).toBe(60_000)
  expect(readRetryAfter('Sunday, 06-Nov-94 08:49:37 GMT', now)).toBe(0)
  expect(readRetryAfter('Mon Jun  1 12:01:00 2026', now)).toBe(60_000)
  for (const text of ['', '-1', '1.5', '1e3', 'tomorrow', '2026-06-01', 'Mon Jun 1 12:01:00', '5, 6'])
    expect(readRetryAfter(text, now)).toBeUndefined()
})

test('an absurd Retry-After waits a day, and no longer', () => {
  for (const text of ['12345678901', '9'.repeat(400), 'Fri, 31 Dec 9999 23:59:59 GMT']) {
    const next = nextTry(1, now, { retryAfterMs: readRetryAfter(text, now) })!
    expect(next.getTime() - now.getTime()).toBe(86_400_000)
  }
})
