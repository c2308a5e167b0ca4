import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { verifySignedNonce, verifySignedNonceAsync } from '#server/ton/signedNonce.ts'
import { mutate } from '../support/mutate.ts'
import { refusal, refusalOf } from '../support/refusal.ts'

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const nonce = 'gh-nonce-é-1'
const signature = sign(null, Buffer.from(nonce), privateKey)
const base64 = signature.toString('base64')
const base64url = signature.toString('base64url')
const hex = signature.toString('hex')

const check = (signedMessage: string, more = {}) =>
  refusal(() => verifySignedNonce({ nonce, signedMessage, publicKey, ...more }))

describe('a signed nonce', () => {
  test.each([
    ['base64', base64],
    ['base64 without padding', base64.slice(0, 86)],
    ['base64url', base64url],
    ['base64url with padding', `${base64url}==`],
    ['hexadecimal', hex],
    ['upper-case hexadecimal', hex.toUpperCase()],
  ])('written in %s is accepted, on the event loop and on the thread pool', async (_, signedMessage) => {
    expect(check(signedMessage)).toBeUndefined()
    expect(await refusalOf(verifySignedNonceAsync({ nonce, signedMessage, publicKey }))).toBeUndefined()
  })

  test.each([
    ['base64', base64],
    ['hexadecimal', hex],
  ])('with any changed character of its %s is refused', (_, text) => {
    for (const changed of mutate(text)) {
      const sameBytes = changed.toLowerCase() === hex || changed === base64
      if (!sameBytes)
        expect([changed, check(changed)]).toEqual([changed, expect.stringMatching(/^invalid_(request|signature)$/)])
    }
  })

  test.each([
    ['nothing', ''],
    ['63 bytes', signature.subarray(1).toString('base64')],
    ['65 bytes', Buffer.concat([signature, Buffer.from([0])]).toString('base64')],
    ['127 digits', hex.slice(1)],
    ['0x', `0x${hex}`],
    ['a space', ` ${base64}`],
    ['a line feed', `${base64}\n`],
    ['one padding character', base64.slice(0, 87)],
    ['both alphabets', `+_${base64.slice(2)}`],
    ['a last character with bits of nothing', `${base64.slice(0, 85)}B==`],
  ])('written with %s is refused for its shape', async (_, signedMessage) => {
    expect(check(signedMessage)).toBe('invalid_request')
    expect(await refusalOf(verifySignedNonceAsync({ nonce, signedMessage, publicKey }))).toBe('invalid_request')
  })

  test('of another nonce or another key is refused', async () => {
    const other = generateKeyPairSync('ed25519').publicKey
    expect(check(base64, { nonce: `${nonce} ` })).toBe('invalid_signature')
    expect(check(base64, { publicKey: other })).toBe('invalid_signature')
    expect(await refusalOf(verifySignedNonceAsync({ nonce, signedMessage: base64, publicKey: other }))).toBe(
      'invalid_signature',
    )
  })
})
