import type { KeyObject } from 'node:crypto'
import { AppError } from '../error.ts'
import { verifyEd25519, verifyEd25519Async } from './ed25519.ts'

/** A nonce signed as it is: Ed25519 over its UTF-8 bytes, the signature in base64, base64url or hexadecimal. */
export type SignedNonce = { nonce: string; signedMessage: string; publicKey: KeyObject }

/** Verifies a signed nonce. As with a proof, the key must be the address's own. */
export function verifySignedNonce({ nonce, signedMessage, publicKey }: SignedNonce): void {
  refuseUnless(verifyEd25519(Buffer.from(nonce), publicKey, readSignature(signedMessage)))
}

/** The same with the signature checked on the thread pool. */
export async function verifySignedNonceAsync({ nonce, signedMessage, publicKey }: SignedNonce): Promise<void> {
  refuseUnless(await verifyEd25519Async(Buffer.from(nonce), publicKey, readSignature(signedMessage)))
}

/**
 * 64 bytes in one of the three spellings. The last character of base64 holds two bits only, so that none has a twin.
 */
function readSignature(text: string): Buffer {
  if (/^[0-9a-fA-F]{128}$/.test(text)) return Buffer.from(text, 'hex')
  if (/^(?:[A-Za-z0-9+/]{85}|[\w-]{85})[AQgw](?:==)?$/.test(text)) return Buffer.from(text, 'base64')
  throw new AppError('invalid_request', 'The signed message is not 64 bytes in base64, base64url or hexadecimal')
}

function refuseUnless(valid: boolean): void {
  if (!valid) throw new AppError('invalid_signature', "The signature is not of this wallet's key over this nonce")
}
