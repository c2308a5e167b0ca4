import type { Runtime } from '#server/runtime.ts'
import { askChain, unavailable } from './ask.ts'
import { addressOf, jettonOf, tonOf, type Asset, type Metadata } from './asset.ts'
import { readAmount } from './json.ts'
import { chainApi, type ChainApi, type Network } from './network.ts'
import { recent, type Recent } from './recent.ts'

const FRESH_S = 5
const MOST_JETTONS = 1000

/** Amounts are whole numbers of the smallest unit, as text. */
export type Holding = { asset: Asset; amount: string }
export type Balance = {
  state: 'active' | 'uninitialized' | 'frozen'
  ton: Holding
  /** Verified ones first; null where the API (v2) tells of TON only. */
  jettons: Holding[] | null
}

/**
 * What a wallet holds, as of at most some seconds ago.
 * @param vouched masters of jettons that the app knows to be genuine, raw
 * @throws AppError chain_not_configured, chain_unavailable (with the last known balance and its age)
 */
export function readBalance(
  runtime: Runtime,
  wallet: { network: Network; address: string },
  vouched: readonly string[],
): Promise<Recent<Balance>> {
  const api = chainApi(runtime, wallet.network)
  const key = `balance ${wallet.network} ${wallet.address} ${vouched.join()}`
  return recent(runtime, key, FRESH_S, () =>
    api.version === 2 ? balanceV2(runtime, api, wallet.address) : balanceV3(runtime, api, wallet.address, vouched),
  )
}

async function balanceV2(runtime: Runtime, api: ChainApi, address: string): Promise<Balance> {
  const account = (await askChain(runtime, api, 'getAddressInformation', { query: { address } })) as
    { balance?: unknown; state?: unknown } | undefined
  const amount = readAmount(account?.balance)
  if (amount === undefined) throw unavailable('The TON API does not tell the balance')
  return { state: stateOf(account?.state), ton: { asset: tonOf(runtime.config.tonSymbol), amount }, jettons: null }
}

type AccountStates = { accounts?: ({ balance?: unknown; status?: unknown } | null)[] }
type JettonWallets = {
  jetton_wallets?: ({ owner?: unknown; jetton?: unknown; balance?: unknown } | null)[]
  metadata?: Metadata
}

async function balanceV3(runtime: Runtime, api: ChainApi, address: string, vouched: readonly string[]) {
  const [states, wallets] = (await Promise.all([
    askChain(runtime, api, 'accountStates', { query: { address, include_boc: 'false' } }),
    askChain(runtime, api, 'jetton/wallets', {
      query: { owner_address: address, exclude_zero_balance: 'true', limit: String(MOST_JETTONS) },
    }),
  ])) as [AccountStates | undefined, JettonWallets | undefined]
  if (!Array.isArray(states?.accounts) || !Array.isArray(wallets?.jetton_wallets))
    throw unavailable('The TON API does not tell the balance')
  const [account] = states.accounts
  // An account that was never used may be left out; one that is null is none.
  const amount = account === undefined ? '0' : readAmount(account?.balance)
  if (amount === undefined) throw unavailable('The TON API does not tell the balance')
  const jettons = wallets.jetton_wallets.flatMap((held) => {
    const [master, amount] = [addressOf(held?.jetton), readAmount(held?.balance)]
    if (!master || amount === undefined) throw unavailable('The TON API answers a jetton that cannot be read')
    const own = held?.owner === undefined || addressOf(held.owner) === address
    if (!own || amount === '0') return []
    return [{ asset: jettonOf(master, wallets.metadata, vouched), amount }]
  })
  return {
    state: stateOf(account?.status),
    ton: { asset: tonOf(runtime.config.tonSymbol), amount },
    jettons: jettons.sort((a, b) => trust(b.asset) - trust(a.asset) || a.asset.symbol.localeCompare(b.asset.symbol)),
  } satisfies Balance
}

const trust = (asset: Asset) => (asset.type === 'jetton' && asset.verified ? 1 : 0)

const stateOf = (state: unknown): Balance['state'] =>
  state === 'active' || state === 'frozen' ? state : 'uninitialized'
