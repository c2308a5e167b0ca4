import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { ids, type Ids } from './ids.ts'
import { freshBytes } from './random.ts'

const VERSION = 1
const NONCE_BYTES = 12

/** Encryption at rest, keyed hashes for what must be searched, and public ids, all from the one secret key. */
export type Vault = {
  /** AES-256-GCM; `place` (such as `users.profile`) is authenticated, so that a value cannot be moved to another column. */
  seal(text: string, place: string): Buffer
  /** The text that was sealed for the same place. @throws Error when key, place or bytes do not fit. */
  open(sealed: Buffer, place: string): string
  /** HMAC-SHA-256 of a value for searching by equality; `purpose` keeps equal values of different columns apart. */
  hash(value: string, purpose: string): Buffer
  ids: Ids
}

/** @param secretKey 32 bytes */
export function createVault(secretKey: Buffer): Vault {
  const derive = (label: string): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', `gatehouse ${label}`, 32)))
  const encryption = derive('encryption at rest')
  const searching = derive('keyed hash')

  return {
    seal(text, place) {
      const nonce = freshBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', encryption, nonce).setAAD(Buffer.from(place))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), body])
    },
    open(sealed, place) {
      if (sealed[0] !== VERSION || sealed.length < 29) throw new Error(`Unreadable sealed value in ${place}`)
      const decipher = createDecipheriv('aes-256-gcm', encryption, sealed.subarray(1, 13)).setAAD(Buffer.from(place))
      decipher.setAuthTag(sealed.subarray(13, 29))
      return decipher.update(sealed.subarray(29), undefined, 'utf8') + decipher.final('utf8')
    },
    hash: (value, purpose) => createHmac('sha256', searching).update(`${purpose}\0${value}`).digest(),
    ids: ids(derive('public ids')),
  }
}
