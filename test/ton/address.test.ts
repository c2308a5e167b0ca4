import { Address } from '@ton/core'
import { describe, expect, test } from 'vitest'
import { formatAddress, parseAddress } from '#server/ton/address.ts'
import { mutate } from '../support/mutate.ts'
import { randomBytes } from '../support/random.ts'
import { readVectors } from '../support/readVectors.ts'
import { refusal } from '../support/refusal.ts'

const { vectors } = readVectors<{ vectors: { name: string; address: string; addressFriendly: string }[] }>(
  'wallet-state-init.json',
)

describe('an address', () => {
  test.each(vectors)('of $name is one in both forms', ({ address, addressFriendly }) => {
    expect(parseAddress(addressFriendly)).toBe(address)
    expect(parseAddress(address)).toBe(address)
    expect(parseAddress(address.toUpperCase())).toBe(address)
    expect(formatAddress(address, { bounceable: true, testOnly: false })).toBe(addressFriendly)
  })

  test('is the same whatever its workchain, flags and alphabet', () => {
    for (let round = 0; round < 200; round++) {
      const workchain = round % 2 === 0 ? 0 : -1
      const address = new Address(workchain, randomBytes(`address ${round}`, 32))
      for (const bounceable of [true, false]) {
        for (const testOnly of [true, false]) {
          const text = formatAddress(address.toRawString(), { bounceable, testOnly })
          expect(text).toBe(address.toString({ bounceable, testOnly }))
          expect(parseAddress(text)).toBe(address.toRawString())
          expect(parseAddress(text.replaceAll('-', '+').replaceAll('_', '/'))).toBe(address.toRawString())
        }
      }
    }
  })

  test('that is user-friendly fails its checksum with any character changed', () => {
    for (const { address, addressFriendly } of vectors) {
      for (const changed of mutate(addressFriendly)) {
        expect([changed, refusal(() => parseAddress(changed))]).toEqual([changed, 'invalid_request'])
      }
      expect(parseAddress(addressFriendly)).toBe(address)
    }
  })

  const hash = 'ab'.repeat(32)
  test.each([
    '',
    hash,
    `:${hash}`,
    `1:${hash}`,
    `-2:${hash}`,
    `-0:${hash}`,
    `00:${hash}`,
    `+0:${hash}`,
    ` 0:${hash}`,
    `0:${hash} `,
    `0:${hash}\n`,
    `0:0x${hash}`,
    `0x0:${hash}`,
    `0:${hash.slice(1)}`,
    `0:${hash}a`,
    `0:${'g'.repeat(64)}`,
    `0:${hash}:1`,
    'EQD3ES67JiTYq5y2eE1-fivl5kANn+gKDDjvpbxNCQWPzs4D',
    'alice.ton',
  ])('is not %j', (text) => {
    expect(refusal(() => parseAddress(text))).toBe('invalid_request')
  })

  test('in a workchain that does not exist is refused, checksum or not', () => {
    for (const workchain of [1, 127, -2, -128]) {
      const text = new Address(workchain, Buffer.alloc(32, 7)).toString()
      expect(refusal(() => parseAddress(text))).toBe('invalid_request')
    }
  })

  test('with flags of no address is refused though its checksum holds', () => {
    const bytes = Buffer.from(new Address(0, Buffer.alloc(32, 7)).toString(), 'base64url')
    bytes[0] = 0x12
    bytes.writeUInt16BE(crc16(bytes.subarray(0, 34)), 34)
    expect(refusal(() => parseAddress(bytes.toString('base64url')))).toBe('invalid_request')
    bytes[0] = 0x11
    bytes.writeUInt16BE(crc16(bytes.subarray(0, 34)), 34)
    expect(refusal(() => parseAddress(bytes.toString('base64url')))).toBeUndefined()
  })
})

/** CRC-16/XMODEM, as docs.ton.org gives it for user-friendly addresses. */
function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc
}
