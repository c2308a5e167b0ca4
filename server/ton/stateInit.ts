import { beginCell, Cell, loadStateInit } from '@ton/core'
import { AppError } from '../error.ts'
import type { WalletStateInit } from './template.ts'
import { walletCodes } from './walletCodes.ts'

/** A state init, of a wallet we know or of something else. */
export type StateInit = WalletStateInit | { code: undefined; hash: Buffer }

/** Reads any state init, whatever its code, cell by cell (`StateInit` of ton-blockchain/ton `block.tlb`). */
export function parseStateInit(boc: Buffer): StateInit {
  try {
    const [root, ...others] = Cell.fromBoc(boc)
    if (!root || others.length > 0) throw new Error('not one root')
    const slice = root.beginParse()
    const { code, data } = loadStateInit(slice)
    slice.endParse()
    if (!code || !data) throw new Error('no code or no data')
    // A pruned branch stands for cells that are not there; only proofs of chain state have a use for it.
    if (root.level() !== 0 || data.isExotic) throw new Error('pruned')
    const codeHash = code.hash().toString('hex')
    const known = walletCodes.find((wallet) => wallet.hash === codeHash)
    if (!known) return { code: undefined, hash: root.hash() }
    if (data.bits.length !== known.dataBits) throw new Error(`data of ${data.bits.length} bits`)
    return { code: known, data: closeBits(data), hash: root.hash() }
  } catch (cause) {
    throw new AppError('invalid_request', 'The state init cannot be read', { cause })
  }
}

/** A cell's bits as whole bytes: where they end inside one, closed with a one and zeros, as in a bag of cells. */
function closeBits(cell: Cell): Buffer {
  const missing = -cell.bits.length & 7
  const closing = missing === 0 ? 0 : 1 << (missing - 1)
  const closed = beginCell().storeBits(cell.bits).storeUint(closing, missing).endCell().bits
  const bytes = closed.subbuffer(0, closed.length)
  if (!bytes) throw new Error('bits that are no bytes')
  return bytes
}
