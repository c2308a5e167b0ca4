import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { beginCell, storeStateInit, type Address, type Cell } from '@ton/core'
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

type Contract = { address: Address; init: { code: Cell; data: Cell } }

const contracts = {
  V1R1: (publicKey: Buffer): Contract => WalletContractV1R1.create({ workchain: 0, publicKey }),
  V1R2: (publicKey: Buffer): Contract => WalletContractV1R2.create({ workchain: 0, publicKey }),
  V1R3: (publicKey: Buffer): Contract => WalletContractV1R3.create({ workchain: 0, publicKey }),
  V2R1: (publicKey: Buffer): Contract => WalletContractV2R1.create({ workchain: 0, publicKey }),
  V2R2: (publicKey: Buffer): Contract => WalletContractV2R2.create({ workchain: 0, publicKey }),
  V3R1: (publicKey: Buffer): Contract => WalletContractV3R1.create({ workchain: 0, publicKey }),
  V3R2: (publicKey: Buffer): Contract => WalletContractV3R2.create({ workchain: 0, publicKey }),
  V4R2: (publicKey: Buffer): Contract => WalletContractV4.create({ workchain: 0, publicKey }),
  V5Beta: (publicKey: Buffer): Contract => WalletContractV5Beta.create({ publicKey }),
  V5R1: (publicKey: Buffer): Contract => WalletContractV5R1.create({ publicKey }),
  V5R1testnet: (publicKey: Buffer): Contract =>
    WalletContractV5R1.create({ publicKey, walletId: { networkGlobalId: -3 } }),
}
export type Version = keyof typeof contracts
export const versions = Object.keys(contracts) as Version[]

/** A wallet with a key pair of its own, as a wallet app holds it. */
export type TestWallet = { address: string; friendly: string; publicKey: Buffer; stateInit: string; key: KeyObject }

export function newWallet(version: Version = 'V4R2', seed?: Buffer): TestWallet {
  const key = seed
    ? createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
        format: 'der',
        type: 'pkcs8',
      })
    : generateKeyPairSync('ed25519').privateKey
  const publicKey = Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')
  const { address, init } = contracts[version](publicKey)
  return {
    address: address.toRawString(),
    friendly: address.toString(),
    publicKey,
    stateInit: beginCell().store(storeStateInit(init)).endCell().toBoc().toString('base64'),
    key,
  }
}

/** Ed25519 over the nonce as it is (Nabi). */
export const signNonce = (wallet: TestWallet, nonce: string): string =>
  sign(null, Buffer.from(nonce), wallet.key).toString('base64')

/** What a wallet answers to TON Connect's `ton_proof`; written after the specification, not after our verifier. */
export function tonProof(
  wallet: TestWallet,
  payload: string,
  now: Date,
  { domain = 'quest.example.com', timestamp = Math.floor(now.getTime() / 1000) } = {},
) {
  const [workchain, hash] = wallet.address.split(':') as [string, string]
  const [chain, length, time] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(8)]
  chain.writeInt32BE(Number(workchain))
  length.writeUInt32LE(Buffer.byteLength(domain))
  time.writeBigUInt64LE(BigInt(timestamp))
  const parts = ['ton-proof-item-v2/', chain, Buffer.from(hash, 'hex'), length, domain, time, payload]
  const message = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  const digest = sha256(Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.from('ton-connect'), sha256(message)]))
  return {
    timestamp,
    domain: { lengthBytes: Buffer.byteLength(domain), value: domain },
    signature: sign(null, digest, wallet.key).toString('base64'),
    payload,
  }
}

/** TON Connect's `account`. */
export const account = (wallet: TestWallet, chain = '-239') => ({
  address: wallet.address,
  chain,
  publicKey: wallet.publicKey.toString('hex'),
  walletStateInit: wallet.stateInit,
})

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
