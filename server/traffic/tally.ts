/** What is counted of one address, network, app, person or proof while one window runs. */
export type Counts = {
  tries: number
  succeeded: number
  failed: number
  spent: number
  nonces: number
  codes: number
  tokens: number
  /** The first one seen, and the others: most people come from one place, and most proofs from one network. */
  first: string | undefined
  others: Set<string> | undefined
  /** How many of them the window before had seen too. */
  again: number
  /** The same of the window before. */
  before: Counts | undefined
}

type Count = Exclude<keyof Counts, 'first' | 'others' | 'again' | 'before'>

const MOST_KEYS = 100_000
const empty = (before: Counts | undefined): Counts => ({
  tries: 0,
  succeeded: 0,
  failed: 0,
  spent: 0,
  nonces: 0,
  codes: 0,
  tokens: 0,
  first: undefined,
  others: undefined,
  again: 0,
  before,
})

/**
 * Counts over a sliding window in two generations: the running one whole, the one before by the share of it that still lies in the window. What is counted
 * of a key is looked up once; everything else is asked of what was found.
 * @param window seconds
 */
export type Tally = {
  /** The running counts of a key, to add to. */
  of(key: string, now: number): Counts
  /** The same to look at: undefined of what nothing was counted of. */
  peek(key: string, now: number): Counts | undefined
  /** The window's sum of one count. @param now the time at which the counts were looked up */
  sum(counts: Counts | undefined, count: Count, now: number): number
}

export function createTally(window: number): Tally {
  const length = window * 1000
  let slot = 0
  let running = new Map<string, Counts>()
  let before = new Map<string, Counts>()

  function turn(now: number): void {
    const at = Math.floor(now / length)
    if (at === slot) return
    before = at === slot + 1 ? running : new Map()
    running = new Map()
    slot = at
  }

  function begin(key: string): Counts {
    const past = before.get(key)
    // Two windows are looked at; what came before them is not to be kept alive by a chain.
    if (past) past.before = undefined
    const counts = empty(past)
    // Whoever sends from a hundred thousand addresses is seen by network and app; the memory stays bounded.
    if (running.size >= MOST_KEYS) running.clear()
    running.set(key, counts)
    return counts
  }

  return {
    of(key, now) {
      turn(now)
      return running.get(key) ?? begin(key)
    },
    peek(key, now) {
      turn(now)
      return running.get(key) ?? (before.has(key) ? begin(key) : undefined)
    },
    sum(counts, count, now) {
      if (!counts) return 0
      const past = counts.before
      return past ? counts[count] + past[count] * (1 - (now % length) / length) : counts[count]
    },
  }
}

/** Notes somebody or something seen; only as many as tell whether there are more than `most`. */
export function see(counts: Counts, what: string, most: number): void {
  if (counts.first === what || sizeOf(counts) > most || hasSeen(counts, what)) return
  if (counts.first === undefined) counts.first = what
  else (counts.others ??= new Set()).add(what)
  if (counts.before && hasSeen(counts.before, what)) counts.again++
}

/** How many different ones the window has seen. */
export const distinct = (counts: Counts): number =>
  sizeOf(counts) + (counts.before ? sizeOf(counts.before) : 0) - counts.again

const sizeOf = ({ first, others }: Counts) => (first === undefined ? 0 : 1 + (others?.size ?? 0))
const hasSeen = ({ first, others }: Counts, what: string) => first === what || others?.has(what) === true
