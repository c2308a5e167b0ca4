import type { Runtime } from '#server/runtime.ts'
import { readPage } from './history.ts'
import { chainApi, type Network } from './network.ts'
import { newestFirst, type Position, type Transaction } from './transaction.ts'

const PAGE = 50
/** Pages of a walk that stay in memory beside the newest; the others are read a second time. */
const MOST_HELD = 20

type Page = { before: Position | undefined; items: Transaction[] | undefined }

/**
 * A way from a wallet's newest transaction back to what is known, and forward again page by page: an API can be asked for what is newest only, and
 * what is oldest has to be told first. It can be left off and gone on with at any step, as where the API breaks off.
 */
export type Walk = {
  /** Logical time behind which everything is known. */
  border: bigint
  /** The newest first. */
  pages: Page[]
  /** Where the next page back begins; null once the border is reached. */
  back: Position | undefined | null
}

export const startWalk = (border: bigint): Walk => ({ border, pages: [], back: undefined })

/**
 * One page's step: undefined on the way back; on the way forward the next page's transactions, oldest first. Whoever has dealt with them takes the page away
 * (`pages.pop()`), and the walk is over when none is left.
 * @throws AppError chain_unavailable; the same step can be tried again
 */
export async function step(
  runtime: Runtime,
  walk: Walk,
  { network, address }: { network: Network; address: string },
  vouched: readonly string[],
): Promise<Transaction[] | undefined> {
  const api = chainApi(runtime, network)
  const read = (before: Position | undefined) => readPage(runtime, api, address, { before, limit: PAGE, vouched })
  const isNew = ({ lt }: Position) => BigInt(lt) > walk.border
  if (walk.back !== null) {
    const { items, next } = await read(walk.back)
    walk.pages.push({ before: walk.back, items: items.filter(isNew) })
    // The newest stays: asked for again, it would be another one, and what lies between would be passed over.
    const far = walk.pages.length - 1 - MOST_HELD
    if (far > 0) walk.pages[far]!.items = undefined
    walk.back = next && isNew(next) ? next : null
    return undefined
  }
  const page = walk.pages.at(-1)
  if (!page) return undefined
  page.items ??= (await read(page.before)).items.filter(isNew)
  return page.items.toSorted(newestFirst).reverse()
}
