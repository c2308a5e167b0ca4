import { hash, timingSafeEqual } from 'node:crypto'
import type { Ids } from './ids.ts'
import type { Remembered } from './remembered.ts'

/** What an opaque token begins with: refresh, access, an app's API key, an operator's API token, an operator's cookie. */
export type OpaqueKind = 'rt' | 'at' | 'sk' | 'op' | 'oc'

/** One spelling only: 48 bytes are 64 characters of base64url with no bit left over. */
const SHAPE = /^gh_(rt|at|sk|op|oc)_([A-Za-z0-9_-]{64})$/

/**
 * The token for a secret of 32 random bytes: 16 sealed bytes before it say which row it is, so that the lookup is by key. The secret was made before its row's
 * number was known.
 */
export function withSecret(
  ids: Ids,
  kind: OpaqueKind,
  row: number,
  secret: Buffer,
  counter = 0,
): { token: string; hash: Buffer } {
  const bytes = Buffer.concat([ids.block(kind, row, counter), secret])
  return { token: `gh_${kind}_${bytes.toString('base64url')}`, hash: hashSecret(secret) }
}

/** What a presented token claims to be, or undefined when it was not made here. Its secret must still be compared (`matches`). */
export function readOpaque(
  ids: Ids,
  token: string,
): { kind: OpaqueKind; row: number; counter: number; secret: Buffer } | undefined {
  const [, kind, body] = SHAPE.exec(token) ?? []
  if (!kind || !body) return undefined
  const bytes = Buffer.from(body, 'base64url')
  const read = ids.readBlock(kind, bytes.subarray(0, 16))
  return read && { kind: kind as OpaqueKind, row: read.id, counter: read.counter, secret: bytes.subarray(16) }
}

/**
 * The row that a token of a kind stands for, if its secret is the row's. A row keeps its secret for life and its number is never given again, so a token
 * that was compared once only needs its row to be there still.
 */
export async function proveOpaque<Row>(
  { proven, vault }: { proven: Remembered<number>; vault: { ids: Ids } },
  kind: OpaqueKind,
  token: string,
  find: (row: number) => Promise<Row | undefined>,
  hashOf: (row: Row) => Buffer,
): Promise<Row | undefined> {
  if (!token.startsWith(`gh_${kind}_`)) return undefined
  const known = proven.get(token)
  if (known !== undefined) return find(known)
  const presented = readOpaque(vault.ids, token)
  const row = presented && (await find(presented.row))
  if (!row || !matches(presented.secret, hashOf(row))) return undefined
  proven.add(token, presented.row)
  return row
}

/** SHA-256: enough for 256 random bits, and the only form in which a token is stored. */
export function hashSecret(secret: Buffer): Buffer {
  return hash('sha256', secret, 'buffer')
}

/** Constant-time comparison of a presented secret with a stored hash. */
export function matches(secret: Buffer, stored: Buffer): boolean {
  const presented = hashSecret(secret)
  return presented.length === stored.length && timingSafeEqual(presented, stored)
}
