import { beginCell, Cell, storeStateInit } from '@ton/core'
import { describe, expect, test } from 'vitest'
import { explainTonAddress, explainTonProof } from '#server/ton/explain.ts'
import type { TonProof } from '#server/ton/proof.ts'
import { mutate } from '../support/mutate.ts'
import { readVectors } from '../support/readVectors.ts'

type Proof = {
  name: string
  address: string
  network: string
  publicKey: string | null
  walletStateInit: string
  proof: TonProof & { timestamp: number }
}
type Wallet = {
  name: string
  version: string
  address: string
  addressFriendly: string
  publicKey: string | null
  walletStateInit: string
}

const proofs = readVectors<{ vectors: Proof[] }>('ton-proof.json').vectors
const wallets = readVectors<{ vectors: Wallet[] }>('wallet-state-init.json').vectors

function options({ proof }: Proof) {
  return { now: new Date((proof.timestamp + 5) * 1000), domains: [proof.domain.value], payload: proof.payload }
}

describe('an explanation of a proof', () => {
  test.each(proofs)('$name is valid in every shape that back ends post', (vector) => {
    const { address, network, publicKey, walletStateInit, proof } = vector
    const account = { address, chain: network, publicKey, walletStateInit }
    const shapes = [
      vector,
      JSON.stringify(vector),
      { account, proof },
      { id: '1', account, proof: { name: 'ton_proof', proof } },
      { address, network, public_key: publicKey, proof: { ...proof, state_init: walletStateInit } },
      { address, stateInit: walletStateInit, proof: { ...proof, timestamp: String(proof.timestamp) } },
    ]
    for (const shape of shapes) {
      expect(explainTonProof(shape, options(vector))).toMatchObject({ valid: true, skipped: [], address })
    }
  })

  test('says what the wallet is and what was not checked', () => {
    const vector = proofs.find(({ name }) => name.includes('V4R2Testnet')) as Proof
    expect(explainTonProof(vector)).toEqual({
      valid: true,
      skipped: ['age', 'domain', 'payload'],
      address: '0:13f04fa2a978c6eaccc5c0521c44d87b5be7f673ff20176a0203d90e8b90a7c1',
      friendlyAddress: expect.stringMatching(/^0Q/),
      version: 'V4R2',
      walletId: 698983191,
      publicKey: vector.publicKey,
      network: '-3',
      domain: 'winogarcia.github.io',
      timestamp: new Date(1718913764_000),
      payload: 'mypayload',
    })
  })

  test.each(proofs)('$name: names the check that fails', (vector) => {
    const now = (seconds: number) => new Date((vector.proof.timestamp + seconds) * 1000)
    const reasons: [unknown, object, string][] = [
      [vector, { now: now(301) }, 'seconds old'],
      [vector, { now: now(-61) }, 'in the future'],
      [vector, { domains: ['other.example'] }, 'not for this app'],
      [vector, { payload: 'other' }, 'not made for this login'],
      [{ ...vector, address: `0:${'ab'.repeat(32)}` }, {}, 'not the address'],
      [{ ...vector, address: 'x' }, {}, 'neither raw'],
      [{ ...vector, publicKey: 'ab'.repeat(32) }, {}, 'not the one in'],
      [{ ...vector, walletStateInit: 'AAAA' }, {}, 'state init'],
      [{ ...vector, walletStateInit: undefined }, {}, 'account.stateInit'],
      [
        { ...vector, proof: { ...vector.proof, domain: { value: 'a.b' } } },
        { domains: undefined },
        'signature is not of',
      ],
      [{ ...vector, proof: { ...vector.proof, domain: 'a.b' } }, {}, 'proof.domain'],
      [{ ...vector, proof: { ...vector.proof, signature: 'x' } }, {}, 'base64 of 64 bytes'],
      [{ ...vector, proof: undefined }, {}, 'proof:'],
    ]
    for (const [data, more, reason] of reasons) {
      const result = explainTonProof(data, { ...options(vector), ...more })
      expect(result).toMatchObject({ valid: false, reason: expect.stringContaining(reason), code: expect.any(String) })
    }
    expect(explainTonProof(vector, { ...options(vector), now: now(900), maxAge: 900 }).valid).toBe(true)
  })

  test.each([
    undefined,
    null,
    7,
    [],
    {},
    '',
    '{',
    '[]',
    '7',
    { proof: {} },
    { account: {}, proof: {} },
    { proof: { proof: 7 } },
  ])('of %j is that it is no proof, not an exception', (data) => {
    expect(explainTonProof(data)).toMatchObject({ valid: false, reason: expect.stringMatching(/./) })
    expect(explainTonAddress(data)).toMatchObject({ valid: false, reason: expect.stringMatching(/./) })
  })

  test('of a proof changed anywhere is never valid and never an exception', () => {
    const { address, walletStateInit, proof } = proofs.find(({ name }) => name.includes('V3R1')) as Proof
    const { timestamp, domain, signature, payload } = proof
    const text = JSON.stringify({ address, walletStateInit, proof: { timestamp, domain, signature, payload } })
    for (const changed of mutate(text)) {
      const { valid } = explainTonProof(changed)
      if (!valid) continue
      // What may change: a member that need not be there, the case of the address's digits, the spelling of the same
      // cells.
      const parsed = JSON.parse(changed)
      expect(parsed.address.toLowerCase()).toBe(address)
      expect(Cell.fromBase64(parsed.walletStateInit).equals(Cell.fromBase64(walletStateInit))).toBe(true)
      expect(parsed).toMatchObject({ proof: { timestamp, domain: { value: domain.value }, signature, payload } })
    }
  })
})

describe('an explanation of an address', () => {
  test.each(wallets)(
    '$name: which wallet and key it is',
    ({ address, addressFriendly, version, publicKey, walletStateInit }) => {
      const expected = { valid: true, skipped: [], address, version, ...(publicKey ? { publicKey } : {}) }
      expect(explainTonAddress({ address, publicKey, walletStateInit })).toMatchObject(expected)
      expect(explainTonAddress(JSON.stringify({ address: addressFriendly, walletStateInit }))).toMatchObject(expected)
    },
  )

  test.each(wallets)('$name: another address, key or state init is not', ({ address, walletStateInit }) => {
    const other = wallets.find((wallet) => wallet.address !== address) as Wallet
    expect(explainTonAddress({ address: other.address, walletStateInit })).toMatchObject({
      valid: false,
      address: other.address,
    })
    expect(explainTonAddress({ address, walletStateInit: other.walletStateInit }).valid).toBe(false)
    expect(explainTonAddress({ address, walletStateInit, publicKey: 'ab'.repeat(32) }).valid).toBe(false)
  })

  test('of a contract that is no wallet says that only the chain knows', () => {
    const init = { code: beginCell().storeUint(7, 8).endCell(), data: beginCell().endCell() }
    const cell = beginCell().store(storeStateInit(init)).endCell()
    const given = { address: `0:${cell.hash().toString('hex')}`, walletStateInit: cell.toBoc().toString('base64') }
    expect(explainTonAddress(given)).toMatchObject({
      valid: false,
      reason: expect.stringContaining('no standard wallet'),
    })
  })
})
