import type { Balance, Holding } from '#server/chain/balance.ts'
import type { FirstPage } from '#server/chain/history.ts'
import type { Recent } from '#server/chain/recent.ts'
import type { Position, Transaction } from '#server/chain/transaction.ts'
import { AppError } from '#server/error.ts'
import { friendly, type Wallet } from './wallet.ts'

/** A balance as the public API shows it. */
export function publicBalance(wallet: Wallet, { value, at }: Recent<Balance>, now: Date) {
  const amountOf = ({ asset, amount }: Holding) => ({ ...asset, amount })
  return {
    address: wallet.address,
    friendly: friendly(wallet.address, wallet.network),
    network: wallet.network,
    state: value.state,
    ton: amountOf(value.ton),
    jettons: value.jettons?.map(amountOf) ?? null,
    jettonsLeftOut: value.jettonsLeftOut,
    asOf: at.toISOString(),
    ageSeconds: ageOf(at, now),
  }
}

/** A page of a wallet's history as the public API shows it; what is pending stands apart, on the first page. */
export function publicHistory(wallet: Wallet, { value, at }: Recent<FirstPage>, now: Date) {
  const show = (one: Transaction) => ({
    ...one,
    at: one.at.toISOString(),
    transfers: one.transfers.map((transfer) => ({
      ...transfer,
      fromFriendly: transfer.from && friendly(transfer.from, wallet.network),
      toFriendly: transfer.to && friendly(transfer.to, wallet.network),
    })),
  })
  return {
    items: value.items.map((one) => ({ ...show(one), final: true })),
    pending: value.pending?.map((one) => ({ ...show(one), final: false })) ?? null,
    nextCursor: value.next ? `${value.next.lt}.${value.next.hash}` : null,
    asOf: at.toISOString(),
    ageSeconds: ageOf(at, now),
  }
}

const ageOf = (at: Date, now: Date) => Math.max(0, Math.floor((now.getTime() - at.getTime()) / 1000))

/**
 * Shows what the chain tells; while it is away, the refusal brings what it told last, in the same form.
 * @throws AppError chain_not_configured, chain_unavailable
 */
export async function withLastKnown<T, Shown>(
  work: Promise<Recent<T>>,
  show: (known: Recent<T>) => Shown,
): Promise<Shown> {
  try {
    return show(await work)
  } catch (error) {
    if (!(error instanceof AppError) || !error.details?.['lastKnown']) throw error
    const { code, message, cause, retryAfter } = error
    throw new AppError(code, message, {
      cause,
      ...(retryAfter !== undefined && { retryAfter }),
      details: { lastKnown: show(error.details['lastKnown'] as Recent<T>) },
    })
  }
}

/** @throws AppError invalid_request */
export function readPosition(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined
  const [, lt, hash] = /^(0|[1-9]\d{0,19})\.([0-9a-f]{64})$/.exec(cursor) ?? []
  if (lt !== undefined && hash !== undefined) return { lt, hash }
  throw new AppError('invalid_request', 'The cursor is not one of this list', {
    errors: [{ path: 'cursor', message: 'is not one of this list' }],
  })
}
