import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { freshBytes } from '#server/secret/random.ts'
import { findNonce, insertNonce } from './store.ts'

/** Nabi: "Each generated nonce is valid for 5 minutes". */
const TTL_MS = 300_000

export type Nonce = { id: string; nonce: string; timestamp: string; expiresAt: string }

/** A nonce for one login with this app, optionally for one wallet (raw address) only. */
export async function createNonce(runtime: Runtime, app: App, address?: string): Promise<Nonce> {
  const now = runtime.now()
  const expiresAt = new Date(now.getTime() + TTL_MS)
  const seed = freshBytes(16)
  const id = await runtime.db.transaction((tx) =>
    insertNonce(tx, { appId: app.id, seed, address: address ?? null, expiresAt }),
  )
  return {
    id: runtime.vault.ids.seal('non', id),
    nonce: nonceText(runtime, { id, appId: app.id, seed: seed.toString('hex') }),
    timestamp: now.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}

/**
 * The nonce that an id stands for, if it may still be used by this app for this wallet. It is used up later, in the transaction that makes the session.
 * @throws AppError nonce_invalid, in the same words whether it is unknown, used, expired or another's
 */
export async function getNonce(
  runtime: Runtime,
  app: App,
  id: string,
  address: string,
): Promise<{ row: number; nonce: string }> {
  const number = runtime.vault.ids.parse('non', id)
  const row = number === undefined ? undefined : await findNonce(runtime.db, number)
  const usable =
    row && row.appId === app.id && !row.usedAt && runtime.now() < row.expiresAt && (row.address ?? address) === address
  if (!usable) throw nonceInvalid()
  return { row: row.id, nonce: nonceText(runtime, row) }
}

export const nonceInvalid = () =>
  new AppError('nonce_invalid', 'The nonce is unknown, was used, or has expired; ask for a new one')

/** 43 characters (a Ledger signs at most 128), 256 bits, and nothing from which another nonce could be told. */
function nonceText(runtime: Runtime, row: { id: number; appId: number; seed: string }): string {
  return runtime.vault.hash(`${row.id} ${row.appId} ${row.seed.toLowerCase()}`, 'nonces').toString('base64url')
}
