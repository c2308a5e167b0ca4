import { AppError } from '../error.ts'
import { splitAddress } from './address.ts'
import { decodeAnyBase64 } from './base64.ts'
import { parseStateInit } from './stateInit.ts'
import { matchTemplate } from './template.ts'
import type { WalletCode, WalletVersion } from './walletCodes.ts'
import { walletNetwork, type Network } from './walletNetwork.ts'

/** What a state init proves about the wallet at its address. */
export type Wallet = {
  publicKey: Buffer
  version: WalletVersion
  /** The subwallet id of V3 and V4, the wallet id of V5R1. */
  walletId?: number
  /** Only V5 wallets are bound to a network; the others have the same address on both. */
  network?: Network
}

/**
 * Reads a wallet's key from its state init, after checking that this state init makes this address (TON Connect
 * `requests-responses.md`, "Address proof signature"). Undefined where the code is of no wallet we know: then only the
 * chain can tell the key.
 */
export function walletFromStateInit(address: string, stateInit: string): Wallet | undefined {
  const { workchain, hash } = splitAddress(address)
  const boc = decodeStateInit(stateInit)
  const parsed = matchTemplate(boc) ?? parseStateInit(boc)
  if (!parsed.hash.equals(hash)) {
    throw new AppError('invalid_signature', "The state init's hash is not the address: it belongs to another wallet")
  }
  return parsed.code && readWallet(parsed.code, parsed.data, workchain)
}

/** The address that a state init makes in the workchain of wallets. */
export function addressFromStateInit(stateInit: string): string {
  const boc = decodeStateInit(stateInit)
  const { hash } = matchTemplate(boc) ?? parseStateInit(boc)
  return `0:${hash.toString('hex')}`
}

/**
 * Real state inits hold 140 to 1096 characters; parsing costs by the cell, so the bag's own count is looked at first.
 */
function decodeStateInit(stateInit: string): Buffer {
  const boc = stateInit.length <= 4096 ? decodeAnyBase64(stateInit) : undefined
  if (!boc) throw new AppError('invalid_request', 'The state init is not base64 of at most 4096 characters')
  const referenceSize = (boc[4] ?? 0) & 7
  if (referenceSize !== 1 || (boc[6] ?? 0) > 64) {
    throw new AppError('invalid_request', 'The state init is not a bag of at most 64 cells')
  }
  return boc
}

function readWallet(code: WalletCode, data: Buffer, workchain: number): Wallet {
  const wallet: Wallet = { publicKey: readBytes(data, code.keyOffset, 32), version: code.version }
  if (code.walletIdOffset !== undefined) {
    const walletId = readBytes(data, code.walletIdOffset, 4)
    wallet.walletId = code.version === 'V5R1' ? walletId.readInt32BE() : walletId.readUInt32BE()
  }
  const network = readNetwork(code.version, wallet.walletId, data, workchain)
  if (network !== undefined) wallet.network = network
  return wallet
}

function readNetwork(version: WalletVersion, walletId: number | undefined, data: Buffer, workchain: number) {
  if (version === 'V5R1' && walletId !== undefined) return walletNetwork(walletId, workchain)
  if (version !== 'V5Beta') return undefined
  // After 33 bits of seqno its wallet id begins with the network in the clear.
  const network = readBytes(data, 33, 4).readInt32BE()
  return network === -239 || network === -3 ? network : undefined
}

/** Copies whole bytes that begin at any bit. */
function readBytes(data: Buffer, bitOffset: number, length: number): Buffer {
  const start = bitOffset >> 3
  const shift = bitOffset & 7
  const bytes = Buffer.from(data.subarray(start, start + length))
  if (shift === 0) return bytes
  for (let at = 0; at < length; at++) {
    bytes[at] = ((data[start + at] ?? 0) << shift) | ((data[start + at + 1] ?? 0) >> (8 - shift))
  }
  return bytes
}
