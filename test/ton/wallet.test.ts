import { beginCell, Cell, storeStateInit, type StateInit } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import {
  WalletContractV1R1,
  WalletContractV1R2,
  WalletContractV1R3,
  WalletContractV2R1,
  WalletContractV2R2,
  WalletContractV3R1,
  WalletContractV3R2,
  WalletContractV4,
  WalletContractV5Beta,
  WalletContractV5R1,
} from '@ton/ton'
import { describe, expect, test } from 'vitest'
import { walletFromStateInit } from '#server/ton/wallet.ts'
import { walletCodes } from '#server/ton/walletCodes.ts'
import { walletNetwork } from '#server/ton/walletNetwork.ts'
import { randomBytes } from '../support/random.ts'
import { readVectors } from '../support/readVectors.ts'
import { refusal } from '../support/refusal.ts'

type Vector = {
  name: string
  version: string
  publicKey: string | null
  workchain: number
  networkGlobalId?: number
  address: string
  walletStateInit: string
}

const { vectors } = readVectors<{ vectors: Vector[] }>('wallet-state-init.json')
const codes = readVectors<{ codes: { version: string; codeHash: string; pubkeyBitOffset: number; codeBoc: string }[] }>(
  'wallet-code-hashes.json',
)

const makers = {
  V1R1: WalletContractV1R1,
  V1R2: WalletContractV1R2,
  V1R3: WalletContractV1R3,
  V2R1: WalletContractV2R1,
  V2R2: WalletContractV2R2,
  V3R1: WalletContractV3R1,
  V3R2: WalletContractV3R2,
  V4R2: WalletContractV4,
}

function toCell(init: StateInit): Cell {
  return beginCell().store(storeStateInit(init)).endCell()
}

function addressOf(cell: Cell, workchain = 0): string {
  return `${workchain}:${cell.hash().toString('hex')}`
}

function toText(cell: Cell, options = { idx: false, crc32: true }): string {
  return cell.toBoc(options).toString('base64')
}

function v4(seed: string) {
  return toCell(WalletContractV4.create({ workchain: 0, publicKey: randomBytes(seed, 32) }).init)
}

describe('published samples', () => {
  test.each(vectors)('$name: the key, the version and the network are read', (vector) => {
    const wallet = walletFromStateInit(vector.address, vector.walletStateInit)
    expect(wallet?.version).toBe(vector.version)
    if (vector.publicKey) expect(wallet?.publicKey.toString('hex')).toBe(vector.publicKey)
    if (vector.networkGlobalId && vector.version.startsWith('V5')) expect(wallet?.network).toBe(vector.networkGlobalId)
  })

  test('the table holds the eleven codes that the wallets’ sources agree on', () => {
    const ours = walletCodes.map(({ version, hash, keyOffset, code }) => [version, hash, keyOffset, code])
    expect(ours).toEqual(codes.codes.map((code) => [code.version, code.codeHash, code.pubkeyBitOffset, code.codeBoc]))
    for (const { code, hash } of walletCodes) expect(Cell.fromBase64(code).hash().toString('hex')).toBe(hash)
  })

  test.each(vectors)('$name: any changed bit of the address is another wallet', ({ address, walletStateInit }) => {
    for (let at = 2; at < address.length; at++) {
      const digit = (Number.parseInt(address[at] ?? '0', 16) ^ 1).toString(16)
      const changed = address.slice(0, at) + digit + address.slice(at + 1)
      expect(refusal(() => walletFromStateInit(changed, walletStateInit))).toBe('invalid_signature')
    }
  })

  test.each(vectors)('$name: any changed byte of the state init is refused', ({ address, walletStateInit }) => {
    const boc = Buffer.from(walletStateInit, 'base64')
    for (let at = 0; at < boc.length; at++) {
      const changed = Buffer.from(boc)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      expect([at, refusal(() => walletFromStateInit(address, changed.toString('base64')))]).toEqual([
        at,
        expect.stringMatching(/^invalid_(request|signature)$/),
      ])
    }
  })
})

describe('wallets made by @ton/ton', () => {
  test.each(Object.entries(makers))('%s: key and version of random keys in both workchains', (version, maker) => {
    for (let round = 0; round < 40; round++) {
      const { publicKey } = keyPairFromSeed(randomBytes(`${version} ${round}`, 32))
      const workchain = round % 2 === 0 ? 0 : -1
      const contract = maker.create({ workchain, publicKey })
      const text = toText(toCell(contract.init), { idx: round % 3 === 0, crc32: round % 4 !== 0 })
      const wallet = walletFromStateInit(contract.address.toRawString(), text)
      expect(wallet).toMatchObject({ version, publicKey })
      expect(wallet).not.toHaveProperty('network')
      if (/V[34]/.test(version)) expect(wallet?.walletId).toBe(698983191 + workchain)
    }
  })

  test('V5R1 and V5Beta: also the network, for every subwallet below 128', () => {
    for (let round = 0; round < 128; round++) {
      const { publicKey } = keyPairFromSeed(randomBytes(`V5 ${round}`, 32))
      for (const networkGlobalId of [-239, -3]) {
        const workchain = round % 2 === 0 ? 0 : -1
        const r1 = WalletContractV5R1.create({
          publicKey,
          walletId: { networkGlobalId, context: { workchain, walletVersion: 'v5r1', subwalletNumber: round } },
        })
        const beta = WalletContractV5Beta.create({
          publicKey,
          walletId: { networkGlobalId, workchain, walletVersion: 'v5', subwalletNumber: round },
        })
        const expected = { publicKey, network: networkGlobalId }
        expect(walletFromStateInit(r1.address.toRawString(), toText(toCell(r1.init)))).toMatchObject({
          ...expected,
          version: 'V5R1',
        })
        expect(walletFromStateInit(beta.address.toRawString(), toText(toCell(beta.init)))).toMatchObject({
          ...expected,
          version: 'V5Beta',
        })
      }
    }
  })

  test('a V5R1 wallet id of another make says no network', () => {
    expect(walletNetwork(2147483409, 0)).toBe(-239)
    expect(walletNetwork(2147483645, 0)).toBe(-3)
    expect(walletNetwork(2147483409, -1)).toBeUndefined()
    for (const walletId of [0, -1, 1, -239, -3, 0x7fff0000]) expect(walletNetwork(walletId, 0)).toBeUndefined()
  })
})

describe('a state init', () => {
  const cell = v4('one')
  const address = addressOf(cell)

  test('of another wallet does not prove this address', () => {
    expect(refusal(() => walletFromStateInit(address, toText(v4('two'))))).toBe('invalid_signature')
  })

  test('of a contract that is no wallet we know leaves the key to the chain', () => {
    const code = beginCell().storeUint(7, 8).endCell()
    const other = toCell({ code, data: beginCell().storeBuffer(randomBytes('k', 36)).endCell() })
    expect(walletFromStateInit(addressOf(other), toText(other))).toBeUndefined()
    expect(refusal(() => walletFromStateInit(address, toText(other)))).toBe('invalid_signature')
  })

  test('without code or without data is refused', () => {
    for (const init of [{}, { code: beginCell().endCell() }, { data: beginCell().endCell() }]) {
      const empty = toCell(init)
      expect(refusal(() => walletFromStateInit(addressOf(empty), toText(empty)))).toBe('invalid_request')
    }
  })

  test("whose data does not have the wallet's layout is refused, with the address that follows from it", () => {
    for (const { code, dataBits } of walletCodes) {
      for (const bits of [0, dataBits - 1, dataBits + 1, dataBits + 8, 1023]) {
        const data = beginCell()
        for (let bit = 0; bit < bits; bit++) data.storeBit(1)
        const odd = toCell({ code: Cell.fromBase64(code), data: data.endCell() })
        expect(refusal(() => walletFromStateInit(addressOf(odd), toText(odd)))).toBe('invalid_request')
      }
    }
  })

  test('with a pruned branch for its data is refused, whichever of its hashes is the address', () => {
    const victim = toCell(WalletContractV2R2.create({ workchain: 0, publicKey: randomBytes('victim', 32) }).init)
    const [code, data] = victim.refs as [Cell, Cell]
    const pruned = new Cell({
      exotic: true,
      bits: beginCell().storeUint(1, 8).storeUint(1, 8).storeBuffer(data.hash()).storeUint(data.depth(), 16).endCell()
        .bits,
    })
    const forged = toCell({ code, data: pruned })
    for (const level of [0, 1, 2, 3]) {
      const claimed = `0:${forged.hash(level).toString('hex')}`
      expect(refusal(() => walletFromStateInit(claimed, toText(forged)))).toBe('invalid_request')
    }
    // This is the spoof: to who asks for the wrong hash, the pruned state init is the victim's.
    expect(`0:${forged.hash(0).toString('hex')}`).toBe(addressOf(victim))
  })

  test('with plugins or extensions from the start is read like any other', () => {
    const publicKey = randomBytes('plugged', 32)
    const plugins = beginCell()
      .storeUint(0, 32)
      .storeUint(7, 32)
      .storeBuffer(publicKey)
      .storeMaybeRef(beginCell().endCell())
    const code = walletCodes.find(({ version }) => version === 'V4R2')?.code ?? ''
    const plugged = toCell({ code: Cell.fromBase64(code), data: plugins.endCell() })
    expect(walletFromStateInit(addressOf(plugged), toText(plugged))).toEqual({
      publicKey,
      version: 'V4R2',
      walletId: 7,
    })
  })

  test.each([
    ['nothing', ''],
    ['no base64', '!!!!'],
    ['a space', ` ${toText(cell)}`],
    ['a line feed', `${toText(cell)}\n`],
    ['too much padding', `${toText(cell)}====`],
    ['half of it', toText(cell).slice(0, 400)],
    ['hexadecimal', cell.toBoc().toString('hex')],
    ['rubbish', randomBytes('rubbish', 300).toString('base64')],
    ['more than 4096 characters', Buffer.concat([cell.toBoc(), Buffer.alloc(4096)]).toString('base64')],
  ])('written as %s is refused', (_, text) => {
    expect(refusal(() => walletFromStateInit(address, text))).toBe('invalid_request')
  })

  test.each([
    ['url-safe base64', toText(cell).replaceAll('+', '-').replaceAll('/', '_')],
    ['no padding', toText(cell).replace(/=+$/, '')],
    ['both', cell.toBoc().toString('base64url')],
  ])('written as %s is the same', (_, text) => {
    expect(walletFromStateInit(address, text)).toEqual(walletFromStateInit(address, toText(cell)))
  })

  test('with a wrong checksum is refused', () => {
    const boc = cell.toBoc()
    boc[boc.length - 1] = (boc.at(-1) ?? 0) ^ 1
    expect(refusal(() => walletFromStateInit(address, boc.toString('base64')))).toBe('invalid_request')
  })

  test('of many cells is refused before it is parsed', () => {
    let chain = beginCell().endCell()
    for (let depth = 0; depth < 300; depth++) chain = beginCell().storeRef(chain).endCell()
    const heavy = toCell({ code: chain, data: chain })
    const text = toText(heavy)
    expect(text.length).toBeLessThanOrEqual(4096)
    expect(() => walletFromStateInit(addressOf(heavy), text)).toThrow('at most 64 cells')
  })

  test('with two roots is refused', () => {
    const boc = cell.toBoc({ idx: false, crc32: false })
    // The header's fourth number counts the roots; their list then holds one more.
    const two = Buffer.concat([boc.subarray(0, 11), Buffer.from([0, 0]), boc.subarray(12)])
    two[7] = 2
    expect(Cell.fromBoc(two)).toHaveLength(2)
    expect(refusal(() => walletFromStateInit(address, two.toString('base64')))).toBe('invalid_request')
  })
})
