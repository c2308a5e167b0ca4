import { beginCell, Cell, storeStateInit } from '@ton/core'
import { describe, expect, test } from 'vitest'
import { parseStateInit } from '#server/ton/stateInit.ts'
import { matchTemplate } from '#server/ton/template.ts'
import { walletCodes, type WalletCode } from '#server/ton/walletCodes.ts'
import { randomBytes } from '../support/random.ts'
import { readVectors } from '../support/readVectors.ts'
import { AppError } from '#server/error.ts'

const encodings = [
  { idx: false, crc32: true },
  { idx: false, crc32: false },
  { idx: true, crc32: true },
  { idx: true, crc32: false },
]

/** A state init with random data in every bit but the dictionaries', which stay empty. */
function makeStateInit(code: WalletCode, seed: string): Cell {
  const data = beginCell()
  const random = randomBytes(seed, 64)
  const dictionary = code.dataBits % 8 ? 1 : 0
  for (let bit = 0; bit < code.dataBits - dictionary; bit++)
    data.storeBit((random[bit >> 3] ?? 0) & (1 << (bit & 7)) ? 1 : 0)
  if (dictionary) data.storeBit(0)
  return beginCell()
    .store(storeStateInit({ code: Cell.fromBase64(code.code), data: data.endCell() }))
    .endCell()
}

/**
 * The same cells in another order, as another serializer might put them: any order in which references point forward.
 */
function shuffle(root: Cell, seed: string): Buffer {
  const cells = new Map<string, Cell>()
  const parents = new Map<string, number>()
  const visit = (cell: Cell) => {
    const id = cell.hash().toString('hex')
    if (cells.has(id)) return
    cells.set(id, cell)
    for (const reference of cell.refs) {
      const child = reference.hash().toString('hex')
      parents.set(child, (parents.get(child) ?? 0) + 1)
      visit(reference)
    }
  }
  visit(root)
  const random = randomBytes(seed, cells.size)
  const ready = [root]
  const order: Cell[] = []
  while (ready.length > 0) {
    const [next] = ready.splice((random[order.length] ?? 0) % ready.length, 1) as [Cell]
    order.push(next)
    for (const reference of next.refs) {
      const child = reference.hash().toString('hex')
      const left = (parents.get(child) ?? 0) - 1
      parents.set(child, left)
      if (left === 0) ready.push(reference)
    }
  }
  const position = new Map(order.map((cell, at) => [cell.hash().toString('hex'), at]))
  const body = Buffer.concat(
    order.map((cell) => {
      // A bag of this cell alone holds its descriptors and bits at a fixed place.
      const alone = new Cell({ bits: cell.bits, exotic: cell.isExotic }).toBoc({ idx: false, crc32: false })
      const bytes = Buffer.from(alone.subarray(11))
      bytes[0] = (bytes[0] ?? 0) | cell.refs.length
      return Buffer.concat([bytes, Buffer.from(cell.refs.map((one) => position.get(one.hash().toString('hex')) ?? 0))])
    }),
  )
  const header = Buffer.from([
    0xb5,
    0xee,
    0x9c,
    0x72,
    1,
    2,
    order.length,
    1,
    0,
    body.length >> 8,
    body.length & 0xff,
    0,
  ])
  return Buffer.concat([header, body])
}

/** What the slow way says, undefined where it refuses. */
function parse(boc: Buffer) {
  try {
    return parseStateInit(boc)
  } catch (error) {
    if (error instanceof AppError) return undefined
    throw error
  }
}

describe.each(walletCodes)('the state init of a $version', (code) => {
  test('is recognised as what a parse finds, for a thousand random data in every encoding and order', () => {
    for (let round = 0; round < 1000; round++) {
      const seed = `${code.version} ${round}`
      const cell = makeStateInit(code, seed)
      const boc = round % 5 === 4 ? shuffle(cell, seed) : cell.toBoc(encodings[round % 5] ?? {})
      const matched = matchTemplate(boc)
      expect(matched?.code.version).toBe(code.version)
      expect(matched?.hash).toEqual(cell.hash())
      expect(matched).toEqual(parseStateInit(boc))
    }
  }, 60_000)

  test('is left to the parse, or means what the parse says, with any byte changed', () => {
    const cell = makeStateInit(code, 'changed')
    for (const encoding of encodings) {
      const boc = cell.toBoc(encoding)
      for (let at = 0; at < boc.length; at++) {
        for (const bits of [1, 0x80, 0xff]) {
          const changed = Buffer.from(boc)
          changed[at] = (changed[at] ?? 0) ^ bits
          const matched = matchTemplate(changed)
          if (matched) expect([at, matched]).toEqual([at, parse(changed)])
        }
      }
    }
  })

  test('is left to the parse when a byte is missing, added or doubled', () => {
    for (const encoding of encodings) {
      const boc = makeStateInit(code, 'cut').toBoc(encoding)
      for (let at = 0; at <= boc.length; at++) {
        const cut = Buffer.concat([boc.subarray(0, at), boc.subarray(at + 1)])
        const added = Buffer.concat([boc.subarray(0, at), Buffer.from([boc[at] ?? 0]), boc.subarray(at)])
        for (const changed of [cut, added]) {
          if (changed.equals(boc)) continue
          const matched = matchTemplate(changed)
          if (matched) expect([at, matched]).toEqual([at, parse(changed)])
        }
      }
    }
  })

  test('with its code in pieces swapped is left to the parse', () => {
    const boc = makeStateInit(code, 'swapped').toBoc({ idx: false, crc32: false })
    const cells = boc[6] ?? 0
    const root = boc.indexOf(Buffer.from([2, 1, 0x34]))
    for (let codeAt = 0; codeAt <= cells; codeAt++) {
      for (let dataAt = 0; dataAt <= cells; dataAt++) {
        const changed = Buffer.from(boc)
        changed[root + 3] = codeAt
        changed[root + 4] = dataAt
        const matched = matchTemplate(changed)
        expect(matched !== undefined).toBe(changed.equals(boc))
      }
    }
  })
})

describe('real wallets', () => {
  const stateInits = ['wallet-state-init.json', 'ton-proof.json', 'sign-data.json'].flatMap((file) =>
    readVectors<{ vectors: { name: string; walletStateInit?: string }[] }>(file).vectors.filter(
      (one) => one.walletStateInit,
    ),
  )

  test.each(stateInits)('$name needs no parse', ({ walletStateInit }) => {
    const boc = Buffer.from(walletStateInit ?? '', 'base64')
    expect(matchTemplate(boc)).toBeDefined()
    expect(matchTemplate(boc)).toEqual(parseStateInit(boc))
  })

  test('what is no bag of cells at all is left to the parse', () => {
    for (let round = 0; round < 2000; round++) {
      const rubbish = randomBytes(`rubbish ${round}`, round % 900)
      const headed = Buffer.concat([Buffer.from('b5ee9c7201', 'hex'), rubbish])
      expect([matchTemplate(rubbish), matchTemplate(headed)]).toEqual([undefined, undefined])
    }
  })
})
