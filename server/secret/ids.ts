import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

/** What a public id begins with, one prefix a kind of thing. */
export type IdKind =
  | 'app'
  | 'usr'
  | 'ses'
  | 'idn'
  | 'non'
  | 'key'
  | 'op'
  | 'opt'
  | 'aud'
  | 'pro'
  | 'evt'
  | 'dlv'
  | 'whe'
  | 'ety'
  | 'blk'
  | 'fnd'
  | 'eml'
  | 'sup'

export type Ids = {
  /** A row's number as the world sees it, such as `ses_` and 26 characters: no order, no count, no guessing. */
  seal(kind: IdKind, id: number): string
  /** The row's number, or undefined for anything this installation did not seal for that kind. */
  parse(kind: IdKind, text: string): number | undefined
  /** One block of 16 bytes that says kind, row and counter; the inside of opaque tokens. */
  block(kind: string, id: number, counter?: number): Buffer
  readBlock(kind: string, block: Buffer): { id: number; counter: number } | undefined
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32: no i, l, o, u
const VALUES = new Map([...ALPHABET].map((character, value) => [character, value]))
const LENGTH = 26
const MOST_SEALED = 20_000

/**
 * Integer keys inside, sealed ids outside: one AES block holds the kind (4 bytes), a counter (4) and the number (8), so that
 * decrypting a foreign or altered id never yields its kind.
 */
export function ids(key: KeyObject): Ids {
  // In ECB mode without padding every update is one whole block, so one cipher object serves for all: exactly one block is ever encrypted.
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  const decipher = createDecipheriv('aes-256-ecb', key, null).setAutoPadding(false)

  const plain = Buffer.alloc(16)

  function block(kind: string, id: number, counter = 0): Buffer {
    for (let at = 0; at < 4; at++) plain[at] = at < kind.length ? kind.charCodeAt(at) : 0
    plain.writeUInt32BE(counter, 4)
    plain.writeUInt32BE(Math.floor(id / 2 ** 32), 8)
    plain.writeUInt32BE(id % 2 ** 32, 12)
    return cipher.update(plain)
  }

  function readBlock(kind: string, sealed: Buffer): { id: number; counter: number } | undefined {
    if (sealed.length !== 16) return undefined
    const plain = decipher.update(sealed)
    if (plain.toString('latin1', 0, 4) !== kind.padEnd(4, '\0')) return undefined
    const id = plain.readBigUInt64BE(8)
    return id <= Number.MAX_SAFE_INTEGER ? { id: Number(id), counter: plain.readUInt32BE(4) } : undefined
  }

  // The same few thousand users and sessions are named over and over.
  const sealed = new Map<IdKind, Map<number, string>>()

  return {
    block,
    readBlock,
    seal(kind, id) {
      let ofKind = sealed.get(kind)
      if (!ofKind) sealed.set(kind, (ofKind = new Map<number, string>()))
      let text = ofKind.get(id)
      if (text === undefined) {
        text = `${kind}_${encode(block(kind, id))}`
        if (ofKind.size >= MOST_SEALED) ofKind.clear()
        ofKind.set(id, text)
      }
      return text
    },
    parse(kind, text) {
      if (!text.startsWith(`${kind}_`)) return undefined
      const sealed = decode(text.slice(kind.length + 1))
      const read = sealed && readBlock(kind, sealed)
      return read?.counter === 0 ? read.id : undefined
    },
  }
}

function encode(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(value >>> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return text + ALPHABET[(value << (5 - bits)) & 31]
}

function decode(text: string): Buffer | undefined {
  if (text.length !== LENGTH) return undefined
  const bytes = Buffer.alloc(16)
  let at = 0
  let bits = 0
  let value = 0
  for (const character of text) {
    const five = VALUES.get(character)
    if (five === undefined) return undefined
    value = (value << 5) | five
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = value >>> bits
      value &= (1 << bits) - 1
    }
  }
  // The two bits left over must be zero: one id has one spelling.
  return value === 0 ? bytes : undefined
}
