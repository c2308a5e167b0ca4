import type { KeyObject } from 'node:crypto'
import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { findIdentityOf, type KnownIdentity } from '#server/identity/find.ts'
import { detailsOf } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { publicKeyOnChain } from '#server/chain/publicKey.ts'
import { ed25519PublicKey } from './publicKey.ts'
import { walletFromStateInit } from './wallet.ts'
import type { Network } from './walletNetwork.ts'

/** A wallet's key and how far it may be trusted. */
export type WalletKey = {
  raw: Buffer
  publicKey: KeyObject
  /** The network a V5 wallet is bound to. */
  network: Network | undefined
  details: Record<string, string | boolean>
  /** The identity it was remembered with. */
  known?: KnownIdentity
  /** Whether the key may be remembered with the address. What the chain told may change there, so it is asked each time. */
  kept: boolean
}

const MOST_KEYS = 20_000
const keyObjects = new Map<string, KeyObject>()

/**
 * The Ed25519 key that speaks for an address: from the state init that hashes to it, from a login before, or from the contract itself.
 * The key a client names is only ever compared.
 * @param address raw, lower case
 * @throws AppError invalid_request, invalid_signature, chain_not_configured, chain_unavailable
 */
export async function resolveKey(
  runtime: Runtime,
  app: App,
  address: string,
  claim: { publicKey: string | undefined; stateInit: string | undefined },
): Promise<WalletKey> {
  const key = await find(runtime, app, address, claim.stateInit)
  if (claim.publicKey !== undefined && !decodeKey(claim.publicKey).equals(key.raw)) {
    throw new AppError('invalid_signature', "The public key that was sent is not this wallet's")
  }
  return { ...key, publicKey: keyObject(key.raw) }
}

async function find(
  runtime: Runtime,
  app: App,
  address: string,
  stateInit: string | undefined,
): Promise<Omit<WalletKey, 'publicKey'>> {
  if (stateInit !== undefined) {
    const wallet = walletFromStateInit(address, stateInit)
    if (wallet) {
      const { publicKey: raw, version, network } = wallet
      const details = { wallet: version, keyFrom: 'stateInit', ...(network && { network: String(network) }) }
      return { raw, network, details, kept: true }
    }
  } else {
    const known = await findIdentityOf(runtime, app, 'ton', address)
    if (known?.publicKey) {
      const { details } = await detailsOf(runtime, runtime.db, known)
      const network = details['network'] === undefined ? undefined : (Number(details['network']) as Network)
      return { raw: Buffer.from(known.publicKey, 'hex'), network, details, known, kept: true }
    }
  }
  const { chains } = app.settings.ton
  const raw = await publicKeyOnChain(runtime, chains.length > 0 && !chains.includes('-239') ? '-3' : '-239', address)
  if (!raw)
    throw new AppError(
      'invalid_signature',
      "The wallet's key cannot be told: it is not deployed, so send its state init",
    )
  return { raw, network: undefined, details: { keyFrom: 'chain' }, kept: false }
}

/** Making a KeyObject costs as much as checking a signature, so the latest ones are kept. */
function keyObject(raw: Buffer): KeyObject {
  const name = raw.toString('latin1')
  let key = keyObjects.get(name)
  if (!key) {
    key = ed25519PublicKey(raw)
    if (keyObjects.size >= MOST_KEYS) keyObjects.clear()
    keyObjects.set(name, key)
  }
  return key
}

function decodeKey(text: string): Buffer {
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text.replace(/^0x/, ''), 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  throw new AppError('invalid_request', 'The public key is not 32 bytes in hexadecimal or base64')
}
