import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { getSecureRandomBytes, keyPairFromSeed, sign as signByTweetnacl, signVerify } from '@ton/crypto'
import { describe, expect, test } from 'vitest'
import { verifyEd25519 } from '#server/ton/ed25519.ts'
import { checkTonProof, tonProofDigest, verifyCheckedProof, verifyTonProof, type TonProof } from '#server/ton/proof.ts'
import { ed25519PublicKey } from '#server/ton/publicKey.ts'
import { walletFromStateInit } from '#server/ton/wallet.ts'
import { mutate } from '../support/mutate.ts'
import { randomBytes } from '../support/random.ts'
import { readVectors } from '../support/readVectors.ts'
import { refusal, refusalOf } from '../support/refusal.ts'

type Vector = { name: string; address: string; walletStateInit: string; proof: TonProof & { timestamp: number } }

const { vectors } = readVectors<{ vectors: Vector[] }>('ton-proof.json')

/** A vector as the login that it was once made for, a few seconds later. */
function expectations({ address, walletStateInit, proof }: Vector) {
  const wallet = walletFromStateInit(address, walletStateInit)
  return {
    address,
    proof,
    publicKey: ed25519PublicKey(wallet?.publicKey ?? Buffer.alloc(0)),
    domains: ['other.example', proof.domain.value],
    now: new Date((proof.timestamp + 5) * 1000),
    payload: proof.payload,
  }
}

/** As a login does it: the signature last, and not on the event loop. */
const onThreadPool = async (expected: Parameters<typeof verifyTonProof>[0]) =>
  verifyCheckedProof(checkTonProof(expected), expected.publicKey)

const known = /^(invalid_request|invalid_signature|nonce_invalid|login_expired)$/

describe('published proofs', () => {
  test.each(vectors)('$name is accepted, on the event loop and on the thread pool', async (vector) => {
    expect(refusal(() => verifyTonProof(expectations(vector)))).toBeUndefined()
    expect(await refusalOf(onThreadPool(expectations(vector)))).toBeUndefined()
  })

  test.each(vectors)('$name: the timestamp may be text, the length may be left out', (vector) => {
    const { timestamp, domain } = vector.proof
    const proof = { ...vector.proof, timestamp: String(timestamp), domain: { value: domain.value } }
    expect(refusal(() => verifyTonProof({ ...expectations(vector), proof }))).toBeUndefined()
  })

  test.each(vectors)('$name: any changed character of the signature is refused', async (vector) => {
    const expected = expectations(vector)
    for (const signature of mutate(vector.proof.signature)) {
      const proof = { ...vector.proof, signature }
      expect([signature, refusal(() => verifyTonProof({ ...expected, proof }))]).toEqual([
        signature,
        expect.stringMatching(known),
      ])
    }
    const signature = Buffer.alloc(64).toString('base64')
    const code = await refusalOf(onThreadPool({ ...expected, proof: { ...vector.proof, signature } }))
    expect(code).toBe('invalid_signature')
  })

  test.each(vectors)('$name: any other payload is refused, also where the login expects that one', (vector) => {
    const expected = expectations(vector)
    for (const payload of mutate(vector.proof.payload)) {
      const proof = { ...vector.proof, payload }
      expect(refusal(() => verifyTonProof({ ...expected, proof }))).toBe('nonce_invalid')
      expect(refusal(() => verifyTonProof({ ...expected, payload }))).toBe('nonce_invalid')
    }
    for (const payload of ['', `${vector.proof.payload}x`]) {
      expect(refusal(() => verifyTonProof({ ...expected, payload, proof: { ...vector.proof, payload } }))).toBe(
        'invalid_signature',
      )
    }
  })

  test.each(vectors)('$name: any other domain is refused, also where it is allowed', (vector) => {
    const expected = expectations(vector)
    for (const value of mutate(vector.proof.domain.value)) {
      const proof = { ...vector.proof, domain: { value } }
      expect(refusal(() => verifyTonProof({ ...expected, proof }))).toBe('invalid_signature')
    }
    for (const value of ['evil.example', `${vector.proof.domain.value}.`, vector.proof.domain.value.toUpperCase()]) {
      const proof = { ...vector.proof, domain: { value } }
      expect(refusal(() => verifyTonProof({ ...expected, proof, domains: [value] }))).toBe('invalid_signature')
    }
    expect(refusal(() => verifyTonProof({ ...expected, domains: [] }))).toBe('invalid_signature')
  })

  test.each(vectors)('$name: a length that is not the domain’s is refused', (vector) => {
    const { value, lengthBytes = 0 } = vector.proof.domain
    for (const other of [lengthBytes - 1, lengthBytes + 1, 0, lengthBytes + 2 ** 32, Number.NaN]) {
      const proof = { ...vector.proof, domain: { value, lengthBytes: other } }
      expect(refusal(() => verifyTonProof({ ...expectations(vector), proof }))).toBe('invalid_request')
    }
  })

  test.each(vectors)('$name: another time, address, workchain or key is refused', (vector) => {
    const expected = expectations(vector)
    for (const shift of [-1, 1, 4]) {
      const proof = { ...vector.proof, timestamp: vector.proof.timestamp + shift }
      expect(refusal(() => verifyTonProof({ ...expected, proof }))).toBe('invalid_signature')
    }
    const hash = vector.address.slice(2)
    const other = `0:${hash.slice(0, 63)}${(Number.parseInt(hash[63] ?? '0', 16) ^ 1).toString(16)}`
    for (const address of [`-1:${hash}`, other]) {
      expect(refusal(() => verifyTonProof({ ...expected, address }))).toBe('invalid_signature')
    }
    const { publicKey } = generateKeyPairSync('ed25519')
    expect(refusal(() => verifyTonProof({ ...expected, publicKey }))).toBe('invalid_signature')
  })

  test.each(vectors)('$name is accepted from a minute before to five minutes after its time', (vector) => {
    const at = (seconds: number, more = {}) =>
      refusal(() =>
        verifyTonProof({ ...expectations(vector), now: new Date((vector.proof.timestamp + seconds) * 1000), ...more }),
      )
    expect([at(-60), at(0), at(300)]).toEqual([undefined, undefined, undefined])
    expect([at(-61), at(301), at(-1e9), at(1e9)]).toEqual(Array.from({ length: 4 }, () => 'login_expired'))
    expect([at(900, { maxAge: 900 }), at(901, { maxAge: 900 })]).toEqual([undefined, 'login_expired'])
  })
})

/** Signs as a wallet does. */
function prove(address: string, seed: Buffer, payload: string, value = 'app.example:8443', timestamp = 1_760_000_000) {
  const { publicKey, secretKey } = keyPairFromSeed(seed)
  const proof: TonProof = { timestamp, domain: { value }, payload, signature: '' }
  proof.signature = signByTweetnacl(tonProofDigest(address, proof), secretKey).toString('base64')
  return { proof, publicKey }
}

describe('a proof made here', () => {
  const seed = randomBytes('seed', 32)
  const now = new Date(1_760_000_005_000)

  test('with the keys and signatures of @ton/crypto holds, in both workchains', () => {
    for (let round = 0; round < 20; round++) {
      const address = `${round % 2 === 0 ? 0 : -1}:${randomBytes(`a${round}`, 32).toString('hex')}`
      const payload = randomBytes(`p${round}`, 16).toString('hex')
      const { proof, publicKey } = prove(address, randomBytes(`s${round}`, 32), payload)
      const expected = {
        address,
        proof,
        domains: ['app.example:8443'],
        now,
        payload,
        publicKey: ed25519PublicKey(publicKey),
      }
      expect(refusal(() => verifyTonProof(expected))).toBeUndefined()
    }
  })

  test('for a domain and a nonce beyond ASCII counts bytes, not characters', () => {
    const address = `0:${'ab'.repeat(32)}`
    const { proof, publicKey } = prove(address, seed, 'nönce-🔑', 'bücher.example')
    const key = ed25519PublicKey(publicKey)
    const expected = { address, domains: ['bücher.example'], now, payload: 'nönce-🔑', publicKey: key }
    const withLength = (lengthBytes: number) => ({ ...proof, domain: { value: 'bücher.example', lengthBytes } })
    expect(refusal(() => verifyTonProof({ ...expected, proof: withLength(15) }))).toBeUndefined()
    expect(refusal(() => verifyTonProof({ ...expected, proof: withLength(14) }))).toBe('invalid_request')
  })

  test('says in the digest a masterchain address with its sign', () => {
    const proof: TonProof = { timestamp: 1, domain: { value: 'a.b' }, payload: 'p', signature: '' }
    const hash = 'cd'.repeat(32)
    expect(tonProofDigest(`-1:${hash}`, proof)).not.toEqual(tonProofDigest(`0:${hash}`, proof))
    // sha256(ffff "ton-connect" sha256("ton-proof-item-v2/" ffffffff cd… 03000000 "a.b" 0100000000000000 "p")), by
    // coreutils sha256sum.
    expect(tonProofDigest(`-1:${hash}`, proof).toString('hex')).toBe(
      '99d0476c9ef4d0e7bd6517feb4848f7c38ce06db2462d740090ac9a084d464ec',
    )
  })

  test.each(['', '-1', '1.5', '1e9', '0x10', ' 1', '1760000000000', 'now'])(
    'with the timestamp %j is refused',
    (timestamp) => {
      const address = `0:${'ab'.repeat(32)}`
      const { proof } = prove(address, seed, 'n')
      const expected = { address, proof: { ...proof, timestamp }, domains: ['app.example:8443'], now, payload: 'n' }
      expect(refusal(() => checkTonProof(expected))).toBe('invalid_request')
    },
  )

  test.each([1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e21])('with the timestamp %d is refused', (timestamp) => {
    const address = `0:${'ab'.repeat(32)}`
    const { proof } = prove(address, seed, 'n')
    const expected = { address, proof: { ...proof, timestamp }, domains: ['app.example:8443'], now, payload: 'n' }
    expect(refusal(() => checkTonProof(expected))).toBe('invalid_request')
  })
})

describe('Ed25519', () => {
  test('a signature with the group order added to S is refused, where tweetnacl accepts it', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const seed = await getSecureRandomBytes(32)
    const { publicKey, secretKey } = keyPairFromSeed(seed)
    const message = Buffer.from('message')
    const signature = signByTweetnacl(message, secretKey)
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
    const shifted = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
    const malleable = Buffer.concat([signature.subarray(0, 32), shifted])
    const key = ed25519PublicKey(publicKey)
    expect(verifyEd25519(message, key, signature)).toBe(true)
    expect(signVerify(message, malleable, publicKey)).toBe(true)
    expect(verifyEd25519(message, key, malleable)).toBe(false)
  })

  test('keys and signatures of node:crypto and @ton/crypto are the same', () => {
    for (let round = 0; round < 20; round++) {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519')
      const message = randomBytes(`m${round}`, round * 7)
      const signature = sign(null, message, privateKey)
      expect(signVerify(message, signature, rawKey(publicKey))).toBe(true)
      expect(verifyEd25519(message, ed25519PublicKey(rawKey(publicKey)), signature)).toBe(true)
    }
  })
})

function rawKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}
