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
    seal: (text, place) => Buffer.concat([Buffer.from([VERSION]), ...encrypt(encryption, text, place)]),
    open(sealed, place) {
      if (sealed[0] !== VERSION) throw new Error(`Unreadable sealed value in ${place}`)
      return decrypt(encryption, sealed.subarray(1), place)
    },
    makeKey() {
      const [tag, secret] = [draw(TAG_BYTES), draw(32)]
      const sealed = Buffer.concat(encrypt(encryption, secret.toString('base64'), keyPlace(tag)))
      return { key: { tag, key: createSecretKey(secret) }, sealed }
    },
    openKey(tag, sealed) {
      const secret = Buffer.from(decrypt(encryption, sealed, keyPlace(tag)), 'base64')
      return { tag: Buffer.from(tag), key: createSecretKey(secret) }
    },
    hash: (value, purpose) => createHmac('sha256', searching).update(`${purpose}\0${value}`).digest(),
    ids: ids(derive('public ids')),
  }
}

const keyPlace = (tag: Buffer) => `personal_keys ${tag.toString('hex')}`

/** The tag of the personal key that a value is sealed under; undefined for what is sealed under the secret key. */
export const keyTag = (sealed: Buffer): Buffer | undefined =>
  sealed[0] === PERSONAL ? sealed.subarray(1, HEAD) : undefined

/** Seals a text under a person's key, for one place, as `Vault.seal` does under the secret key. */
export const sealUnder = ({ tag, key }: PersonalKey, text: string, place: string): Buffer =>
  Buffer.concat([Buffer.from([PERSONAL]), tag, ...encrypt(key, text, place)])

/** @throws Error when key, place or bytes do not fit */
export const openUnder = ({ key }: PersonalKey, sealed: Buffer, place: string): string =>
  decrypt(key, sealed.subarray(HEAD), place)

function encrypt(key: KeyObject, text: string, place: string): Buffer[] {
  const nonce = draw(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place))
  const body = cipher.update(text, 'utf8')
  const rest = cipher.final()
  return [nonce, cipher.getAuthTag(), body, rest]
}

function decrypt(key: KeyObject, sealed: Buffer, place: string): string {
  if (sealed.length < NONCE_BYTES + 16) throw new Error(`Unreadable sealed value in ${place}`)
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(place))
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + 16))
  return decipher.update(sealed.subarray(NONCE_BYTES + 16), undefined, 'utf8') + decipher.final('utf8')
}

const NONCE_BYTES = 12
let drawn = Buffer.alloc(0)

/** Random bytes, drawn from the system for many at once, at a tenth of the price; each is used once. */
function draw(count: number): Buffer {
  if (drawn.length < count) drawn = randomBytes(4096)
  const bytes = drawn.subarray(0, count)
  drawn = drawn.subarray(count)
  return bytes
}
