import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { ids, type Ids } from './ids.ts'
import { freshBytes } from './random.ts'

/** Sealed under the secret key, and under a person's own key: the first byte says which. */
const VERSION = 1
const PERSONAL = 2
const TAG_BYTES = 8
const HEAD = 1 + TAG_BYTES

/** A person's own key. Its tag stands in front of everything sealed under it; destroying the key makes all of that unreadable, wherever copies are. */
export type PersonalKey = { tag: Buffer; key: KeyObject }

/** Encryption at rest, keyed hashes for what must be searched, and public ids, all from the one secret key. */
export type Vault = {
  /** AES-256-GCM; `place` (such as `users.profile`) is authenticated, so that a value cannot be moved to another column. */
  seal(text: string, place: string): Buffer
  /** The text that was sealed for the same place. @throws Error when key, place or bytes do not fit. */
  open(sealed: Buffer, place: string): string
  /** A new key for a person, with the form in which it is kept: encrypted under the secret key. */
  makeKey(): { key: PersonalKey; sealed: Buffer }
  /** @throws Error when the secret key or the tag is another */
  openKey(tag: Buffer, sealed: Buffer): PersonalKey
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
    seal: (text, place) => encrypt(SECRET, encryption, text, bytesOf(place)),
    open(sealed, place) {
      if (sealed[0] !== VERSION) throw new Error(`Unreadable sealed value in ${place}`)
      return decrypt(encryption, sealed, 1, bytesOf(place))
    },
    makeKey() {
      const [tag, secret] = [freshBytes(TAG_BYTES), freshBytes(32)]
      const sealed = encrypt(NOTHING, encryption, secret.toString('base64'), keyPlace(tag))
      return { key: { tag, key: createSecretKey(secret) }, sealed }
    },
    openKey(tag, sealed) {
      const secret = Buffer.from(decrypt(encryption, sealed, 0, keyPlace(tag)), 'base64')
      return { tag: Buffer.from(tag), key: createSecretKey(secret) }
    },
    hash: (value, purpose) => createHmac('sha256', searching).update(`${purpose}\0${value}`).digest(),
    ids: ids(derive('public ids')),
  }
}

const keyPlace = (tag: Buffer) => Buffer.from(`personal_keys ${tag.toString('hex')}`)

/** The tag of the personal key that a value is sealed under; undefined for what is sealed under the secret key. */
export const keyTag = (sealed: Buffer): Buffer | undefined =>
  sealed[0] === PERSONAL ? sealed.subarray(1, HEAD) : undefined

/** Seals a text under a person's key, for one place, as `Vault.seal` does under the secret key. */
export const sealUnder = ({ tag, key }: PersonalKey, text: string, place: string): Buffer =>
  encrypt(Buffer.concat([OWN, tag]), key, text, bytesOf(place))

/** @throws Error when key, place or bytes do not fit */
export const openUnder = ({ key }: PersonalKey, sealed: Buffer, place: string): string =>
  decrypt(key, sealed, HEAD, bytesOf(place))

const [NOTHING, SECRET, OWN] = [Buffer.alloc(0), Buffer.from([VERSION]), Buffer.from([PERSONAL])]
const NONCE_BYTES = 12
/** Before the text stand a nonce and the tag of AES-GCM. */
const FRONT_BYTES = NONCE_BYTES + 16

function encrypt(head: Buffer, key: KeyObject, text: string, place: Buffer): Buffer {
  const nonce = freshBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(place)
  // A stream cipher: everything comes at once, and nothing is left for the end.
  const body = cipher.update(text, 'utf8')
  cipher.final()
  const sealed = Buffer.allocUnsafe(head.length + FRONT_BYTES + body.length)
  head.copy(sealed)
  nonce.copy(sealed, head.length)
  cipher.getAuthTag().copy(sealed, head.length + NONCE_BYTES)
  body.copy(sealed, head.length + FRONT_BYTES)
  return sealed
}

/** @param from where nonce, tag and text begin */
function decrypt(key: KeyObject, sealed: Buffer, from: number, place: Buffer): string {
  if (sealed.length < from + FRONT_BYTES) throw new Error(`A sealed value is too short in ${place.toString()}`)
  const nonce = sealed.subarray(from, from + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(place)
  decipher.setAuthTag(sealed.subarray(from + NONCE_BYTES, from + FRONT_BYTES))
  const body = decipher.update(sealed.subarray(from + FRONT_BYTES))
  // Throws when a byte was changed: before this nothing of the body is believed.
  decipher.final()
  return body.toString('utf8')
}

/** Places are few and spelled in the code. */
const placeBytes = new Map<string, Buffer>()

function bytesOf(place: string): Buffer {
  let bytes = placeBytes.get(place)
  if (!bytes) placeBytes.set(place, (bytes = Buffer.from(place)))
  return bytes
}
