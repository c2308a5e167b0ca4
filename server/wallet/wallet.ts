import type { App } from '#server/app/app.ts'
import { networkOf, type Network } from '#server/chain/network.ts'
import { AppError } from '#server/error.ts'
import { openDetails, openSubject } from '#server/identity/findOrCreate.ts'
import { listIdentities, type IdentityRow } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { formatAddress, parseAddress } from '#server/ton/address.ts'

/** A linked wallet: an identity of kind `ton`, so that linking one is one more way to sign in, and signing in with one links it. */
export type Wallet = {
  id: number
  /** Raw, lower case. */
  address: string
  network: Network
  version: string | undefined
  publicKey: Buffer | null
  linkedAt: Date
}

export async function openWallet(runtime: Runtime, app: App, row: IdentityRow): Promise<Wallet> {
  const { details } = await openDetails(runtime, runtime.db, row.detailsSealed)
  return {
    id: row.id,
    address: await openSubject(runtime, runtime.db, row.subjectSealed),
    network: await networkOf(runtime, app, row),
    version: typeof details['wallet'] === 'string' ? details['wallet'] : undefined,
    publicKey: row.publicKey,
    linkedAt: row.createdAt,
  }
}

/** A person's linked wallets, the first linked first. */
export async function listWallets(runtime: Runtime, app: App, userId: number): Promise<Wallet[]> {
  const rows = await listIdentities(runtime.db, userId)
  return Promise.all(rows.filter((row) => row.kind === 'ton').map((row) => openWallet(runtime, app, row)))
}

/** The person's wallet at an address in any spelling. @throws AppError invalid_request, not_found */
export async function getWallet(runtime: Runtime, app: App, userId: number, address: string): Promise<Wallet> {
  const raw = parseAddress(address)
  const wallet = (await listWallets(runtime, app, userId)).find((known) => known.address === raw)
  if (!wallet) throw new AppError('not_found', 'You have no such wallet')
  return wallet
}

/** An address as wallets show it: wallets are never bounced to, and testnet says so. */
export const friendly = (address: string, network: Network): string =>
  formatAddress(address, { bounceable: false, testOnly: network === '-3' })

/** A wallet as the public API shows it. `current` is the one whose signature opened the session that asks. */
export const publicWallet = (wallet: Wallet, identityId: number) => ({
  address: wallet.address,
  friendly: friendly(wallet.address, wallet.network),
  network: wallet.network,
  version: wallet.version ?? null,
  publicKey: wallet.publicKey?.toString('hex') ?? null,
  linkedAt: wallet.linkedAt.toISOString(),
  current: wallet.id === identityId,
})
