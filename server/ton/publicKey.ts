import { createPublicKey, type KeyObject } from 'node:crypto'
import { AppError } from '../error.ts'

/**
 * The y coordinates of the eight points of small order (RFC 7748 §7 speaks of their use; the list is that of libsodium
 * `ge25519_has_small_order`). For them one signature holds for any message, so such a key proves nothing.
 */
const smallOrder = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** Makes a key that signatures can be checked with from an Ed25519 public key's 32 bytes. */
export function ed25519PublicKey(raw: Buffer): KeyObject {
  if (raw.length !== 32) throw new AppError('invalid_request', 'The public key is not 32 bytes long')
  const y = Buffer.from(raw)
  y[31] = (y[31] ?? 0) & 0x7f
  if (exceedsField(y) || smallOrder.has(y.toString('hex'))) {
    throw new AppError('invalid_signature', 'The public key is one that nobody holds the secret of')
  }
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') } })
}

/** Whether little-endian y ≥ 2^255 − 19: a second spelling of a point, which no key generator writes. */
function exceedsField(y: Buffer): boolean {
  return y[31] === 0x7f && (y[0] ?? 0) >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff)
}
