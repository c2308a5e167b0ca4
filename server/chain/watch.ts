import { appAt, appIn, type App } from '#server/app/app.ts'
import { listAllApps } from '#server/app/store.ts'
import { AppError } from '#server/error.ts'
import { recordEvent } from '#server/event/record.ts'
import type { IdentityRow } from '#server/identity/store.ts'
import { openSubject } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { formatAddress } from '#server/ton/address.ts'
import { readPage } from './history.ts'
import { chainApi, networkOf, type Network } from './network.ts'
import { newestFirst, type Position, type Transaction, type Transfer } from './transaction.ts'
import {
  deleteUnwanted,
  findWatched,
  forgetSeen,
  insertWatched,
  listDue,
  listUnwatched,
  noteSeen,
  updateWatched,
  type WatchedRow,
} from './watchStore.ts'

/** Each wallet is looked at this often, and later after a failure. */
const EVERY_MS = 20_000
const AFTER_FAILURE_MS = 60_000
const WALLETS_A_ROUND = 50
const NEW_A_ROUND = 500
const PAGE = 50
const MOST_PAGES = 40
/** An indexer may tell of shards out of order by some blocks: that far back is looked again, and what was seen is remembered. */
const MARGIN = 50_000_000

/** Looks once at every followed wallet that is due, and tells its app of what came and went. Returns how many transactions were told. */
export async function watchWallets(runtime: Runtime): Promise<number> {
  const { db } = runtime
  const apps = await watchingApps(runtime)
  const ids = [...apps.keys()]
  await db.transaction((tx) => deleteUnwanted(tx, ids))
  if (ids.length === 0) return 0
  const found = await listUnwatched(db, ids, NEW_A_ROUND)
  const nextAt = runtime.now()
  await db.transaction((tx) =>
    insertWatched(
      tx,
      found.map((one) => ({ ...one, nextAt })),
    ),
  )
  let told = 0
  for (const { watched, identity } of await listDue(db, runtime.now(), WALLETS_A_ROUND)) {
    const app = apps.get(watched.appId)
    if (app && !runtime.stopping) told += await follow(runtime, app, watched, identity)
  }
  return told
}

async function watchingApps(runtime: Runtime): Promise<Map<number, App>> {
  const apps = new Map<number, App>()
  for (const row of await listAllApps(runtime.db)) {
    const app = await appAt(runtime, row.id, row.version)
    if (app && !app.disabled && app.settings.ton.watch) apps.set(app.id, app)
  }
  return apps
}

async function follow(runtime: Runtime, app: App, watched: WatchedRow, identity: IdentityRow): Promise<number> {
  const { identityId } = watched
  const later = (ms: number) => new Date(runtime.now().getTime() + ms)
  try {
    const network = await networkOf(runtime, app, identity)
    const address = await openSubject(runtime, runtime.db, identity.subjectSealed)
    const news = await readNews(runtime, app, { network, address }, watched)
    return await tell(runtime, app, identity, { network, address }, news, later(EVERY_MS))
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    runtime.log.debug({ code: error.code, err: error.cause }, 'a wallet could not be looked at and will be again')
    await runtime.db.transaction((tx) => updateWatched(tx, identityId, { nextAt: later(AFTER_FAILURE_MS) }))
    return 0
  }
}

type Wallet = { network: Network; address: string }

/** What happened since the last look, oldest first; of a wallet that is new, the latest only. */
async function readNews(runtime: Runtime, app: App, wallet: Wallet, { latestLt }: WatchedRow): Promise<Transaction[]> {
  const api = chainApi(runtime, wallet.network)
  const vouched = app.settings.ton.jettons
  if (latestLt === null) {
    const { items } = await readPage(runtime, api, wallet.address, { limit: 1, vouched })
    return items
  }
  const border = BigInt(latestLt) - BigInt(MARGIN)
  const news: Transaction[] = []
  let before: Position | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const { items, next } = await readPage(runtime, api, wallet.address, { before, limit: PAGE, vouched })
    news.push(...items.filter(({ lt }) => BigInt(lt) > border))
    if (!next || BigInt(next.lt) <= border) break
    before = next
  }
  return news.sort(newestFirst).reverse()
}

/** Notes each transaction and records its events in one transaction, so that it is told once and never lost, whatever happens in between. */
function tell(
  runtime: Runtime,
  app: App,
  identity: IdentityRow,
  wallet: Wallet,
  news: Transaction[],
  nextAt: Date,
): Promise<number> {
  const identityId = identity.id
  return runtime.db.transaction(async (tx) => {
    await tx.lock(`watch wallet ${identityId}`)
    const row = await findWatched(tx, identityId)
    if (!row) return 0
    const latest = news.at(-1)?.lt ?? row.latestLt ?? '0'
    // What happened before anybody followed the wallet is history, not news.
    if (row.sinceLt === null) {
      await updateWatched(tx, identityId, { sinceLt: latest, latestLt: latest, nextAt })
      return 0
    }
    const current = (await appIn(runtime, tx, app.id)) ?? app
    let told = 0
    for (const transaction of news) {
      if (BigInt(transaction.lt) <= BigInt(row.sinceLt)) continue
      const hash = Buffer.from(transaction.hash, 'hex')
      if (!(await noteSeen(tx, { identityId, hash, lt: Number(transaction.lt) }))) continue
      for (const transfer of transaction.transfers) {
        if (!isTold(transaction, transfer)) continue
        await recordEvent(runtime, tx, eventOf(current, identity.userId, wallet, transaction, transfer))
      }
      told++
    }
    const furthest = BigInt(latest) > BigInt(row.latestLt ?? '0') ? latest : row.latestLt!
    await updateWatched(tx, identityId, { latestLt: furthest, nextAt })
    await forgetSeen(tx, identityId, Number(furthest) - 2 * MARGIN)
    return told
  })
}

/** Not what failed, not the letters around a jetton, and no jetton that anybody can send to anybody with an advertisement for a name. */
function isTold({ success }: Transaction, { kind, amount, asset }: Transfer): boolean {
  return success && kind !== 'jetton_message' && amount !== '0' && (asset.type === 'ton' || asset.verified)
}

function eventOf(app: App, userId: number, wallet: Wallet, transaction: Transaction, transfer: Transfer) {
  const sent = transfer.direction === 'out'
  const shown = (address: string | null) =>
    address ? formatAddress(address, { bounceable: false, testOnly: wallet.network === '-3' }) : ''
  const other = shown(sent ? transfer.to : transfer.from)
  return {
    app,
    type: sent ? 'txn.sent' : 'txn.received',
    userId,
    time: String(Math.floor(transaction.at.getTime() / 1000)),
    content: {
      // TON's number among coin types (SLIP-44).
      bip44: '607',
      chainId: wallet.network,
      txnHash: transaction.hash,
      symbol: transfer.asset.symbol,
      amount: scaled(transfer.amount, transfer.asset.decimals),
      walletAddress: shown(wallet.address),
      otherWallet: other,
      ...(sent ? { to: other } : { from: other }),
    },
  }
}

/** 459769830 of 9 decimals → 0.45976983 */
export function scaled(amount: string, decimals: number): string {
  const digits = amount.padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = decimals === 0 ? '' : digits.slice(-decimals).replace(/0+$/, '')
  return fraction ? `${whole}.${fraction}` : whole
}
