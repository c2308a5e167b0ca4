import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'
import type { Database, Transaction } from '#server/db/database.ts'
import type { Vault } from '#server/secret/vault.ts'
import { insertKey, listPublishedKeys, moveKey, type SigningKeyRow } from './store.ts'

/** After this long without a look, the keys are read again, so that a rotation in another process is noticed. */
const FRESH_MS = 10_000
/** An unknown kid makes us look at most this often, so that invented kids cost nothing. */
const UNKNOWN_KID_MS = 1_000
/** How long whoever has read the key set may keep it, in seconds. */
export const KEY_SET_TTL = 300
/** No access token lives longer (app/settings.ts), so a retired key is published for this long. */
const LONGEST_TOKEN_MS = 86_400_000

type PublicKey = { kid: string; state: SigningKeyRow['state']; jwk: JWK; key: CryptoKey }

/** What signs now. */
export type SigningKey = { kid: string; privateKey: KeyObject }

export type Rotated = { active: string; retired: string | undefined; heardAt: Date | undefined }

/** The installation's Ed25519 keys: `next` is published before it signs, `active` signs, `retired` verifies while tokens live. */
export type SigningKeys = {
  active(): Promise<SigningKey>
  /** The public key of a kid, or undefined when it is not (or no longer) ours. */
  find(kid: string): Promise<CryptoKey | undefined>
  /** RFC 7517 §5 */
  jwks(): Promise<{ keys: JWK[] }>
  /** Whether a kid is still ours, as far as is known at this moment; it takes a look in passing when the last one is old. */
  holds(kid: string): boolean
  /**
   * next → active → retired, and a new next. In the caller's transaction; call `reload` after it.
   * @returns `heardAt` when everybody who verifies knows what signs now, where that is yet to come
   */
  rotate(tx: Transaction): Promise<Rotated>
  reload(): Promise<void>
}

export function createSigningKeys(db: Database, vault: Vault, now: () => Date): SigningKeys {
  let loaded: { at: number; keys: PublicKey[]; active: SigningKey } | undefined
  let loading: Promise<void> | undefined

  async function load(): Promise<void> {
    let rows = await listPublishedKeys(db, now())
    if (!rows.some((row) => row.state === 'active')) {
      await db.transaction(async (tx) => {
        await tx.lock('signing keys')
        rows = await listPublishedKeys(tx, now())
        if (rows.some((row) => row.state === 'active')) return
        const at = now()
        await addKey(tx, 'active', at)
        await addKey(tx, 'next', at)
      })
      rows = await listPublishedKeys(db, now())
    }
    const signing = rows.find((row) => row.state === 'active')!
    const secret = JSON.parse(vault.open(signing.privateSealed, 'signing_keys.private')) as JsonWebKey
    const keys = await Promise.all(
      rows.map(async (row) => {
        const jwk = JSON.parse(row.publicJwk) as JWK
        return { kid: row.kid, state: row.state, jwk, key: (await importJWK(jwk, 'EdDSA')) as CryptoKey }
      }),
    )
    loaded = {
      at: performance.now(),
      keys,
      active: { kid: signing.kid, privateKey: createPrivateKey({ key: secret, format: 'jwk' }) },
    }
  }

  function reload(): Promise<void> {
    loading ??= load().finally(() => (loading = undefined))
    return loading
  }

  async function current() {
    if (!loaded) await reload()
    else lookAgain(loaded)
    return loaded!
  }

  function lookAgain({ at }: { at: number }): void {
    // A failed look (the database is away) leaves the keys we know in use.
    if (performance.now() - at > FRESH_MS) void reload().catch(() => undefined)
  }

  async function addKey(tx: Transaction, state: 'next' | 'active', at: Date): Promise<void> {
    const pair = await newKey()
    await insertKey(tx, {
      kid: pair.kid,
      state,
      publicJwk: JSON.stringify(pair.publicJwk),
      privateSealed: vault.seal(JSON.stringify(pair.privateJwk), 'signing_keys.private'),
      createdAt: at,
      activatedAt: state === 'active' ? at : null,
    })
  }

  return {
    active: async () => (await current()).active,
    async find(kid) {
      const known = (await current()).keys.find((key) => key.kid === kid)
      if (known || performance.now() - loaded!.at < UNKNOWN_KID_MS) return known?.key
      await reload()
      return loaded!.keys.find((key) => key.kid === kid)?.key
    },
    holds(kid) {
      if (!loaded) return false
      lookAgain(loaded)
      return loaded.keys.some((key) => key.kid === kid)
    },
    jwks: async () => ({ keys: (await current()).keys.map((key) => key.jwk) }),
    async rotate(tx) {
      await tx.lock('signing keys')
      const at = now()
      const rows = await listPublishedKeys(tx, at)
      const heardAt = heardOf(rows)
      const active = rows.find((row) => row.state === 'active')
      const next = rows.find((row) => row.state === 'next')
      if (active) {
        await moveKey(tx, active.id, {
          state: 'retired',
          retiredAt: at,
          publishedUntil: new Date(at.getTime() + LONGEST_TOKEN_MS),
        })
      }
      if (next) await moveKey(tx, next.id, { state: 'active', activatedAt: at })
      else await addKey(tx, 'active', at)
      await addKey(tx, 'next', at)
      const after = await listPublishedKeys(tx, at)
      return {
        active: after.find((row) => row.state === 'active')!.kid,
        retired: active?.kid,
        heardAt: heardAt && heardAt > at ? heardAt : undefined,
      }
    },
    reload,
  }
}

/**
 * When everybody who verifies has heard of the next key: whoever read the key set just before it was in there keeps that for a while, and another process
 * may have handed that out for some moments more. Undefined where there has never been a set without it.
 */
export function heardOf(rows: Pick<SigningKeyRow, 'state' | 'createdAt'>[]): Date | undefined {
  const next = rows.find((row) => row.state === 'next')
  if (!next || rows.every((row) => row.createdAt >= next.createdAt)) return undefined
  return new Date(next.createdAt.getTime() + KEY_SET_TTL * 1000 + FRESH_MS)
}

async function newKey(): Promise<{ kid: string; publicJwk: JWK; privateJwk: JWK }> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const publicJwk = await exportJWK(pair.publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    publicJwk: { ...publicJwk, kid, alg: 'EdDSA', use: 'sig' },
    privateJwk: await exportJWK(pair.privateKey),
  }
}
