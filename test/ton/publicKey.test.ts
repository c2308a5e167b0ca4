import { generateKeyPairSync, sign } from 'node:crypto'
import { signVerify } from '@ton/crypto'
import { describe, expect, test } from 'vitest'
import { verifyEd25519 } from '#server/ton/ed25519.ts'
import { ed25519PublicKey } from '#server/ton/publicKey.ts'
import { refusal } from '../support/refusal.ts'

const field = 2n ** 255n - 19n

/** A y coordinate and the sign of x, as 32 little-endian bytes. */
function encode(y: bigint, sign: boolean): Buffer {
  const value = sign ? y | (1n << 255n) : y
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base % field; exponent > 0n; exponent >>= 1n, square = (square * square) % field) {
    if (exponent & 1n) result = (result * square) % field
  }
  return result
}

/** Doubles a y coordinate: on Edwards25519 y(2P) depends on y(P) alone. */
function double(y: bigint): bigint {
  const d = (-121665n * power(121666n, field - 2n)) % field
  const y2 = (y * y) % field
  const x2 = ((y2 - 1n) * power(d * y2 + 1n, field - 2n)) % field
  const result = ((y2 + x2) * power(1n - d * x2 * y2, field - 2n)) % field
  return (result + field) % field
}

describe('a public key', () => {
  test('that was generated checks signatures', () => {
    for (let round = 0; round < 50; round++) {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519')
      const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
      const message = Buffer.from(`message ${round}`)
      const key = ed25519PublicKey(raw)
      expect(key.equals(publicKey)).toBe(true)
      expect(verifyEd25519(message, key, sign(null, message, privateKey))).toBe(true)
      expect(verifyEd25519(Buffer.from('another'), key, sign(null, message, privateKey))).toBe(false)
    }
  })

  test('of small order is refused in every spelling', () => {
    const low = [
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    ]
    const ys = low.map((hex) => BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`))
    // They are of order eight: doubled twice they are -1, doubled thrice the neutral element.
    for (const y of ys) expect([double(y), double(double(y)), double(double(double(y)))]).toEqual([0n, field - 1n, 1n])
    for (const y of [...ys, 0n, 1n, field - 1n]) {
      for (const sign of [false, true])
        expect(refusal(() => ed25519PublicKey(encode(y, sign)))).toBe('invalid_signature')
    }
  })

  test('in a second spelling is refused', () => {
    for (let y = field; y < 2n ** 255n; y++) {
      for (const sign of [false, true])
        expect(refusal(() => ed25519PublicKey(encode(y, sign)))).toBe('invalid_signature')
    }
    expect(refusal(() => ed25519PublicKey(encode(field - 2n, false)))).toBeUndefined()
  })

  test('of small order would sign anything, if it were let through', () => {
    // R and the key are the neutral element, S = 0: the equation S·B = R + k·A holds whatever k, and so the message, is.
    const neutral = encode(1n, false)
    const signature = Buffer.concat([neutral, Buffer.alloc(32)])
    // Newer releases of OpenSSL refuse it themselves; tweetnacl and older releases do not.
    for (const message of ['any', 'other']) expect(signVerify(Buffer.from(message), signature, neutral)).toBe(true)
    expect(refusal(() => ed25519PublicKey(neutral))).toBe('invalid_signature')
  })

  test.each([0, 31, 33, 64])('of %i bytes is refused', (length) => {
    expect(refusal(() => ed25519PublicKey(Buffer.alloc(length, 9)))).toBe('invalid_request')
  })
})
