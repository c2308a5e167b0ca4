import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { ids, type Ids } from './ids.ts'

const VERSION = 1

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
      const nonce = freshNonce()
      const cipher = createCipheriv('aes-256-gcm', encryption, nonce).setAAD(bytesOf(place))
      // A stream cipher: everything comes at once, and nothing is left for the end.
      const body = cipher.update(text, 'utf8')
      cipher.final()
      const sealed = Buffer.allocUnsafe(HEAD_BYTES + body.length)
      sealed[0] = VERSION
      nonce.copy(sealed, 1)
      cipher.getAuthTag().copy(sealed, 1 + NONCE_BYTES)
      body.copy(sealed, HEAD_BYTES)
      return sealed
    },
    open(sealed, place) {
      if (sealed[0] !== VERSION || sealed.length < HEAD_BYTES) throw new Error(`Unreadable sealed value in ${place}`)
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', encryption, nonce).setAAD(bytesOf(place))
      decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES))
      const body = decipher.update(sealed.subarray(HEAD_BYTES))
      // Throws when a byte was changed: before this nothing of the body is believed.
      decipher.final()
      return body.toString('utf8')
    },
    hash: (value, purpose) => createHmac('sha256', searching).update(`${purpose}\0${value}`).digest(),
    ids: ids(derive('public ids')),
  }
}

const NONCE_BYTES = 12
/** Before the text stand the version, the nonce and the tag of 16 bytes. */
const HEAD_BYTES = 1 + NONCE_BYTES + 16

/** Places are few and spelled in the code. */
const placeBytes = new Map<string, Buffer>()

function bytesOf(place: string): Buffer {
  let bytes = placeBytes.get(place)
  if (!bytes) placeBytes.set(place, (bytes = Buffer.from(place)))
  return bytes
}

let drawn = Buffer.alloc(0)

/** Random bytes are drawn from the system for many nonces at once, at a tenth of the price; each is used once. */
function freshNonce(): Buffer {
  if (drawn.length < NONCE_BYTES) drawn = randomBytes(NONCE_BYTES * 340)
  const nonce = drawn.subarray(0, NONCE_BYTES)
  drawn = drawn.subarray(NONCE_BYTES)
  return nonce
}
