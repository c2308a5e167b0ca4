import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { beginCell, Cell, contractAddress, storeStateInit } from '@ton/core'
import { tonProofDigest, type TonProof } from '#server/ton/proof.ts'
import { walletCodes, type WalletVersion } from '#server/ton/walletCodes.ts'

/** A wallet with its key pair, as a wallet app holds it. */
export type Wallet = {
  version: WalletVersion
  /** Raw. */
  address: string
  publicKey: Buffer
  stateInit: string
  key: KeyObject
}

const MAINNET = '-239'
/** What every client gives its first V3 or V4 wallet in the basechain. */
const SUBWALLET = 698_983_191
/** The same for V5R1: the network's id xor a one, the workchain, version and subwallet, all zero. */
const V5_WALLET_ID = -239 ^ 0x80000000

/** The storage that each version is deployed with, beside its key. */
const versions = {
  V3R2: (key: Buffer) => beginCell().storeUint(0, 32).storeUint(SUBWALLET, 32).storeBuffer(key),
  V4R2: (key: Buffer) => beginCell().storeUint(0, 32).storeUint(SUBWALLET, 32).storeBuffer(key).storeBit(0),
  V5R1: (key: Buffer) =>
    beginCell().storeBit(1).storeUint(0, 32).storeInt(V5_WALLET_ID, 32).storeBuffer(key).storeBit(0),
}

/** The wallet of a version whose key follows from a text, so that the demo's wallets are the same in every run. */
export function walletOf(version: keyof typeof versions, seed: string): Wallet {
  const key = privateKeyOf(seed)
  const publicKey = Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')
  const { code } = walletCodes.find((known) => known.version === version)!
  const init = { code: Cell.fromBase64(code), data: versions[version](publicKey).endCell() }
  return {
    version,
    address: contractAddress(0, init).toRawString(),
    publicKey,
    stateInit: beginCell().store(storeStateInit(init)).endCell().toBoc().toString('base64'),
    key,
  }
}

export const wallets: readonly Wallet[] = Array.from({ length: 25 }, (_, n) =>
  walletOf((['V5R1', 'V4R2', 'V5R1', 'V3R2', 'V4R2'] as const)[n % 5]!, `demo wallet ${n}`),
)

export type Nonce = { id: string; nonce: string }

/** What TON Connect's SDK hands to an app on `domain` whose nonce the wallet signed. */
export function tonProofLogin(wallet: Wallet, { id, nonce }: Nonce, domain: string, now: Date) {
  const proof: TonProof = {
    timestamp: Math.floor(now.getTime() / 1000),
    domain: { lengthBytes: Buffer.byteLength(domain), value: domain },
    signature: '',
    payload: nonce,
  }
  proof.signature = sign(null, tonProofDigest(wallet.address, proof), wallet.key).toString('base64')
  const { address, stateInit: walletStateInit } = wallet
  return {
    id,
    account: { address, chain: MAINNET, publicKey: wallet.publicKey.toString('hex'), walletStateInit },
    proof,
  }
}

/** The same person by a signature over the nonce as it is. */
export function signedNonceLogin(wallet: Wallet, { id, nonce }: Nonce) {
  return {
    id,
    address: wallet.address,
    signedMessage: sign(null, Buffer.from(nonce), wallet.key).toString('base64'),
    publicKey: wallet.publicKey.toString('hex'),
    stateInit: wallet.stateInit,
  }
}

/** An Ed25519 key of 32 bytes in PKCS#8 (RFC 8410). */
function privateKeyOf(seed: string): KeyObject {
  const bytes = createHash('sha256').update(seed).digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}
