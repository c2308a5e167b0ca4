import type { Runtime } from '#server/runtime.ts'
import { askChain, unavailable } from './ask.ts'
import { addressOf, jettonOf, tonOf, type Asset, type Metadata } from './asset.ts'
import { readAmount } from './json.ts'
import { chainApi, type ChainApi, type Network } from './network.ts'
import { recent, type Recent } from './recent.ts'

const FRESH_S = 5
/** Jettons that are told of a wallet, and that the API tells at once. */
const MOST_JETTONS = 1_000
/** Anybody can send anybody jettons of no worth: so many pages are gone through for those that have some. */
const MOST_PAGES = 10

/** Amounts are whole numbers of the smallest unit, as text. */
export type Holding = { asset: Asset; amount: string }
export type Balance = {
  state: 'active' | 'uninitialized' | 'frozen'
  ton: Holding
  /** Verified ones first; null where the API (v2) tells of TON only. */
  jettons: Holding[] | null
  /** How many more there are, unverified all. */
  jettonsLeftOut: number
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
  const state = stateOf(account?.state)
  // tonlib's own word for an account that was never used, which not every API in front of it translates.
  const unused = state === 'uninitialized' && String(account?.balance) === '-1'
  const amount = unused ? '0' : readAmount(account?.balance)
  if (amount === undefined) throw unavailable('The TON API does not tell the balance')
  return { state, ton: { asset: tonOf(runtime.config.tonSymbol), amount }, jettons: null, jettonsLeftOut: 0 }
}

type AccountStates = { accounts?: ({ balance?: unknown; status?: unknown } | null)[] }
type JettonWallets = {
  jetton_wallets?: ({ owner?: unknown; jetton?: unknown; balance?: unknown } | null)[] | null
  metadata?: Metadata
}

async function balanceV3(runtime: Runtime, api: ChainApi, address: string, vouched: readonly string[]) {
  const [states, jettons] = (await Promise.all([
    askChain(runtime, api, 'accountStates', { query: { address, include_boc: 'false' } }),
    listJettons(runtime, api, address, vouched),
  ])) as [AccountStates | undefined, Holding[]]
  if (!Array.isArray(states?.accounts)) throw unavailable('The TON API does not tell the balance')
  const [account] = states.accounts
  const state = stateOf(account?.status)
  // An account that was never used may be left out or be there with a balance that is null; one that is null itself is none.
  const unused = account === undefined || (account?.balance === null && state === 'uninitialized')
  const amount = unused ? '0' : readAmount(account?.balance)
  if (amount === undefined) throw unavailable('The TON API does not tell the balance')
  jettons.sort((a, b) => trust(b.asset) - trust(a.asset) || a.asset.symbol.localeCompare(b.asset.symbol))
  return {
    state,
    ton: { asset: tonOf(runtime.config.tonSymbol), amount },
    jettons: jettons.slice(0, MOST_JETTONS),
    jettonsLeftOut: Math.max(0, jettons.length - MOST_JETTONS),
  } satisfies Balance
}

async function listJettons(
  runtime: Runtime,
  api: ChainApi,
  address: string,
  vouched: readonly string[],
): Promise<Holding[]> {
  const found = new Map<string, Holding>()
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = (await askChain(runtime, api, 'jetton/wallets', {
      query: {
        owner_address: address,
        exclude_zero_balance: 'true',
        limit: String(MOST_JETTONS),
        ...(page > 0 && { offset: String(page * MOST_JETTONS) }),
      },
    })) as JettonWallets | undefined
    // A list of nothing is null where the API's language has it so.
    const held = answer?.jetton_wallets === null ? [] : answer?.jetton_wallets
    if (!Array.isArray(held)) throw unavailable('The TON API does not tell the balance')
    for (const one of held) {
      const [master, amount] = [addressOf(one?.jetton), readAmount(one?.balance)]
      if (!master || amount === undefined) throw unavailable('The TON API answers a jetton that cannot be read')
      const own = one?.owner === undefined || addressOf(one.owner) === address
      if (own && amount !== '0') found.set(master, { asset: jettonOf(master, answer!.metadata, vouched), amount })
    }
    if (held.length < MOST_JETTONS) break
  }
  return [...found.values()]
}

const trust = (asset: Asset) => (asset.type === 'jetton' && asset.verified ? 1 : 0)

const stateOf = (state: unknown): Balance['state'] =>
  state === 'active' || state === 'frozen' ? state : 'uninitialized'
