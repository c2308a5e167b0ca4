import { hash, type KeyObject } from 'node:crypto'
import { AppError } from '../error.ts'
import { sameText } from '../secret/sameText.ts'
import { splitAddress } from './address.ts'
import { decodeBase64 } from './base64.ts'
import { verifyEd25519, verifyEd25519Async } from './ed25519.ts'

/**
 * TON Connect's `TonProofItemReplySuccess.proof`. The specification has the timestamp as a string, the SDK as a number.
 */
export type TonProof = {
  timestamp: number | string
  domain: { value: string; lengthBytes?: number | undefined }
  signature: string
  payload: string
}

/** What a proof is held against. */
export type ProofExpectations = {
  /** Raw, lower case, as `parseAddress` gives it. */
  address: string
  proof: TonProof
  /** Lower-case `host[:port]`, exactly as wallets sign them. */
  domains: readonly string[]
  now: Date
  /** Seconds. */
  maxAge?: number | undefined
  /** The nonce that this login was given. */
  payload: string
}

/** How far the wallet's clock may run ahead of ours, in seconds. */
const leeway = 60

/**
 * Verifies a `ton_proof` (https://docs.ton.org/applications/ton-connect/how-to/ton-proof). The key must be the
 * address's own, from `walletFromStateInit` or the chain: a proof under a key that merely came with it proves nothing.
 */
export function verifyTonProof(expected: ProofExpectations & { publicKey: KeyObject }): void {
  const { digest, signature } = checkTonProof(expected)
  refuseUnless(verifyEd25519(digest, expected.publicKey, signature))
}

/** What is left of a proof once all but its signature has been checked. */
export type CheckedProof = { digest: Buffer; signature: Buffer }

/** The rest of a proof whose other parts hold (`checkTonProof`): the signature, checked on the thread pool. */
export async function verifyCheckedProof({ digest, signature }: CheckedProof, publicKey: KeyObject): Promise<void> {
  refuseUnless(await verifyEd25519Async(digest, publicKey, signature))
}

/** All that needs no key: nonce, domain, age and shape. Cheap, so a login does it before it reads the state init. */
export function checkTonProof(expected: ProofExpectations): CheckedProof {
  const { address, proof, domains, now, maxAge = 300, payload } = expected
  if (!sameText(proof.payload, payload)) {
    throw new AppError('nonce_invalid', 'The proof was not made for this login: ask for a new nonce')
  }
  if (!domains.includes(proof.domain.value)) {
    throw new AppError(
      'invalid_signature',
      `The proof was made for ${proof.domain.value.slice(0, 253)}, not for this app`,
    )
  }
  checkAge(readTimestamp(proof), now, maxAge)
  return { digest: tonProofDigest(address, proof), signature: readSignature(proof) }
}

/** The bytes that the wallet signs; integers are little-endian but for the workchain. */
export function tonProofDigest(address: string, proof: TonProof): Buffer {
  const { workchain, hash: accountHash } = splitAddress(address)
  const domain = Buffer.from(proof.domain.value)
  if (proof.domain.lengthBytes !== undefined && proof.domain.lengthBytes !== domain.length) {
    throw new AppError('invalid_request', "The proof's domain.lengthBytes is not the length of its domain")
  }
  const numbers = Buffer.alloc(4 + 4 + 8)
  numbers.writeInt32BE(workchain, 0)
  numbers.writeUInt32LE(domain.length, 4)
  numbers.writeBigUInt64LE(BigInt(readTimestamp(proof)), 8)
  const message = Buffer.concat([
    Buffer.from('ton-proof-item-v2/'),
    numbers.subarray(0, 4),
    accountHash,
    numbers.subarray(4, 8),
    domain,
    numbers.subarray(8),
    Buffer.from(proof.payload),
  ])
  return hash(
    'sha256',
    Buffer.concat([Buffer.from('\xff\xffton-connect', 'latin1'), hash('sha256', message, 'buffer')]),
    'buffer',
  )
}

/** Unix seconds, from either of the two types. */
export function readTimestamp(proof: TonProof): number {
  const text = String(proof.timestamp)
  if (!/^\d{1,12}$/.test(text))
    throw new AppError('invalid_request', "The proof's timestamp is not a Unix time in seconds")
  return Number(text)
}

function checkAge(timestamp: number, now: Date, maxAge: number): void {
  const age = now.getTime() / 1000 - timestamp
  if (age < -leeway)
    throw new AppError('login_expired', `The proof's timestamp is ${Math.ceil(-age)} seconds in the future`)
  if (age > maxAge) {
    throw new AppError('login_expired', `The proof is ${Math.floor(age)} seconds old; at most ${maxAge} are accepted`)
  }
}

function readSignature(proof: TonProof): Buffer {
  const signature = decodeBase64(proof.signature)
  if (signature?.length !== 64) throw new AppError('invalid_request', "The proof's signature is not base64 of 64 bytes")
  return signature
}

function refuseUnless(valid: boolean): void {
  if (!valid)
    throw new AppError(
      'invalid_signature',
      "The proof's signature is not of this wallet's key over this address, domain, time and payload",
    )
}
