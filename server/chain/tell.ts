import { appIn, type App } from '#server/app/app.ts'
import { recordEvent } from '#server/event/record.ts'
import type { IdentityRow } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { formatAddress } from '#server/ton/address.ts'
import type { Network } from './network.ts'
import type { Transaction, Transfer } from './transaction.ts'
import { findWatched, forgetSeen, noteSeen, updateWatched } from './watchStore.ts'

/** An indexer may tell of shards out of order by some blocks: that far back is looked again, and what was seen is remembered twice as far. */
export const MARGIN = 50_000_000

/** A linked wallet that is followed. */
export type Followed = { app: App; identity: IdentityRow; network: Network; address: string }

/**
 * Notes transactions, oldest first, and records their events in one transaction, so that each is told once and never lost, whatever happens in between.
 * Returns how many were new.
 */
export function tell(runtime: Runtime, followed: Followed, news: Transaction[], nextAt: Date): Promise<number> {
  const { app, identity } = followed
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
    const since = BigInt(row.sinceLt)
    // Told long ago, and forgotten since: another process was faster with an old page.
    const forgotten = BigInt(row.latestLt ?? '0') - 2n * BigInt(MARGIN)
    const current = (await appIn(runtime, tx, app.id)) ?? app
    const recent = news.filter(({ lt }) => BigInt(lt) > since && BigInt(lt) > forgotten)
    const fresh = await noteSeen(
      tx,
      recent.map(({ hash, lt }) => ({ identityId, hash: Buffer.from(hash, 'hex'), lt: Number(lt) })),
    )
    let told = 0
    for (const transaction of recent) {
      if (!fresh.delete(transaction.hash)) continue
      for (const transfer of transaction.transfers) {
        if (!isTold(transaction, transfer)) continue
        await recordEvent(runtime, tx, eventOf({ ...followed, app: current }, transaction, transfer))
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

function eventOf({ app, identity, network, address }: Followed, transaction: Transaction, transfer: Transfer) {
  const sent = transfer.direction === 'out'
  const shown = (one: string | null) =>
    one ? formatAddress(one, { bounceable: false, testOnly: network === '-3' }) : ''
  const other = shown(sent ? transfer.to : transfer.from)
  return {
    app,
    type: sent ? 'txn.sent' : 'txn.received',
    userId: identity.userId,
    time: String(Math.floor(transaction.at.getTime() / 1000)),
    content: {
      // TON's number among coin types (SLIP-44).
      bip44: '607',
      chainId: network,
      txnHash: transaction.hash,
      symbol: transfer.asset.symbol,
      amount: scaled(transfer.amount, transfer.asset.decimals),
      walletAddress: shown(address),
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
