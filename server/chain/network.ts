import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { openDetails } from '#server/identity/findOrCreate.ts'
import type { IdentityRow } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { networkFor, type Network } from '#server/ton/address.ts'

export type { Network }

/** A toncenter-compatible API. Which of its two shapes it speaks, its path says: `…/v2` is v2, everything else v3. */
export type ChainApi = { network: Network; version: 2 | 3; url: string; key: string | undefined }

/** The API of a network. One that is configured alone serves both. @throws AppError chain_not_configured */
export function chainApi(runtime: Runtime, network: Network): ChainApi {
  const { tonApi, tonTestnetApi } = runtime.config
  const api = network === '-3' ? (tonTestnetApi ?? tonApi) : tonApi
  if (!api) {
    throw new AppError(
      'chain_not_configured',
      `No TON API is configured for ${network === '-3' ? 'testnet' : 'mainnet'}; an operator can set TON_API_URL`,
    )
  }
  return { network, version: /\/v2$/.test(api.url) ? 2 : 3, ...api }
}

/** The network of a linked wallet: its own where it is bound to one (V5), else the app's. */
export async function networkOf(
  runtime: Runtime,
  app: App,
  identity: Pick<IdentityRow, 'detailsSealed'>,
): Promise<Network> {
  const { details } = await openDetails(runtime, runtime.db, identity.detailsSealed)
  return networkFor(app.settings.ton.chains, details['network'])
}
