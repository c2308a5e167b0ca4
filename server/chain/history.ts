import type { Runtime } from '#server/runtime.ts'
import { askChain, unavailable } from './ask.ts'
import type { Metadata } from './asset.ts'
import { chainApi, type ChainApi, type Network } from './network.ts'
import { recent, type Recent } from './recent.ts'
import {
  jettonTransfer,
  newestFirst,
  transactionV2,
  transactionV3,
  type Position,
  type Transaction,
} from './transaction.ts'

const FRESH_S = 5
/** What may stand at a page's border a second time: transactions of several contracts at one logical time. */
const OVERLAP = 8
const MOST_ASKED = 1000

export type History = {
  items: Transaction[]
  /** Where the next page goes on; undefined on the last. */
  next: Position | undefined
}
/** What is seen but not in a block yet, and may never be; null where the API does not tell. */
export type FirstPage = History & { pending: Transaction[] | null }

type Wallet = { network: Network; address: string }
/** The newest `count` behind the `offset` newest ones. */
type Source = (count: number, offset: number) => Promise<Transaction[]>
type Ask = { before?: Position | undefined; limit: number; vouched: readonly string[] }

/**
 * A wallet's history, newest first: its own transactions and the jettons that moved, merged by logical time. Pages go by logical time, so that
 * nothing is skipped or repeated while new transactions arrive.
 * @throws AppError chain_not_configured, chain_unavailable (with the last known page and its age)
 */
export function readHistory(runtime: Runtime, wallet: Wallet, ask: Ask): Promise<Recent<FirstPage>> {
  const api = chainApi(runtime, wallet.network)
  const key = `history ${wallet.network} ${wallet.address} ${ask.before?.lt ?? ''} ${ask.before?.hash ?? ''} ${ask.limit} ${ask.vouched.join()}`
  return recent(runtime, key, FRESH_S, async () => {
    const [page, pending] = await Promise.all([
      readPage(runtime, api, wallet.address, ask),
      ask.before ? null : listPending(runtime, api, wallet.address),
    ])
    return { ...page, pending }
  })
}

/** A page as the API tells it now. @throws AppError chain_unavailable */
export async function readPage(runtime: Runtime, api: ChainApi, address: string, ask: Ask): Promise<History> {
  const sources: Source[] =
    api.version === 2
      ? [(count) => accountV2(runtime, api, address, ask.before, count)]
      : [
          (count) => accountV3(runtime, api, address, ask.before, count),
          (count, offset) => jettonsV3(runtime, api, address, ask, count, offset),
        ]
  const lists = await Promise.all(sources.map((source) => fill(source, ask)))
  const merged = lists.flat().sort(newestFirst)
  const items = merged.slice(0, ask.limit)
  const last = items.at(-1)
  return { items, next: merged.length > ask.limit && last ? { lt: last.lt, hash: last.hash } : undefined }
}

/**
 * At least one more than the page holds of what lies beyond its border, or all there is; and all of one logical time or none, for the API has no order
 * within it. Where that is more than can be asked for at once, the rest is asked for behind it.
 */
async function fill(source: Source, { before, limit }: Ask): Promise<Transaction[]> {
  const seen = new Map<string, Transaction>()
  for (let count = limit + 1 + OVERLAP, offset = 0; ;) {
    const [found, known] = [await source(count, offset), seen.size]
    for (const one of found) seen.set(`${one.lt} ${one.hash}`, one)
    const beyond = [...seen.values()].filter((one) => !before || newestFirst(before, one) < 0).sort(newestFirst)
    const whole = beyond.length > limit && beyond[limit - 1]!.lt !== found.at(-1)!.lt
    if (whole || found.length < count) return beyond
    // One that tells the same again and again has no end that could be told.
    if (seen.size === known) throw unavailable('The TON API does not tell the history')
    if (count === MOST_ASKED) offset += MOST_ASKED
    else count = Math.min(count * 2, MOST_ASKED)
  }
}

/** The newest `count` transactions of an account, or the newest up to and with a logical time. */
async function accountV3(
  runtime: Runtime,
  api: ChainApi,
  address: string,
  before: Pick<Position, 'lt'> | undefined,
  count: number,
): Promise<Transaction[]> {
  const answer = (await askChain(runtime, api, 'transactions', {
    query: { account: address, limit: String(count), sort: 'desc', ...(before && { end_lt: before.lt }) },
  })) as { transactions?: unknown[] } | undefined
  if (!Array.isArray(answer?.transactions)) throw unavailable('The TON API does not tell the history')
  return read(answer.transactions, (one) => transactionV3(one, address, runtime.config.tonSymbol))
}

async function jettonsV3(
  runtime: Runtime,
  api: ChainApi,
  address: string,
  ask: { before?: Pick<Position, 'lt'> | undefined; vouched: readonly string[] },
  count: number,
  offset: number,
): Promise<Transaction[]> {
  const answer = (await askChain(runtime, api, 'jetton/transfers', {
    query: {
      owner_address: address,
      limit: String(count),
      sort: 'desc',
      ...(offset > 0 && { offset: String(offset) }),
      ...(ask.before && { end_lt: ask.before.lt }),
    },
  })) as { jetton_transfers?: unknown[]; metadata?: Metadata } | undefined
  if (!Array.isArray(answer?.jetton_transfers)) throw unavailable('The TON API does not tell the history')
  return read(answer.jetton_transfers, (one) => jettonTransfer(one, address, answer.metadata, ask.vouched))
}

/** v2 pages from a transaction on, that one included, and wants its hash beside its logical time. */
async function accountV2(
  runtime: Runtime,
  api: ChainApi,
  address: string,
  before: Position | undefined,
  count: number,
): Promise<Transaction[]> {
  const from = before && { lt: before.lt, hash: Buffer.from(before.hash, 'hex').toString('base64') }
  const answer = await askChain(runtime, api, 'getTransactions', {
    query: { address, limit: String(Math.min(count, 100)), archival: 'true', ...from },
  })
  if (!Array.isArray(answer)) throw unavailable('The TON API does not tell the history')
  return read(answer, (one) => transactionV2(one, address, runtime.config.tonSymbol))
}

async function listPending(runtime: Runtime, api: ChainApi, address: string): Promise<Transaction[] | null> {
  if (api.version === 2) return null
  try {
    const answer = (await askChain(runtime, api, 'pendingTransactions', { query: { account: address } })) as
      { transactions?: unknown[] } | undefined
    if (!Array.isArray(answer?.transactions)) return null
    return read(answer.transactions, (one) => transactionV3(one, address, runtime.config.tonSymbol))
  } catch {
    // Not every API tells of what is pending; the history does not wait for it.
    return null
  }
}

/** What cannot be read would leave a hole that nobody sees. */
function read(list: unknown[], one: (value: unknown) => Transaction | undefined): Transaction[] {
  return list.map((value) => {
    const transaction = typeof value === 'object' && value !== null ? one(value) : undefined
    if (!transaction) throw unavailable('The TON API answers a transaction that cannot be read')
    return transaction
  })
}
