/** What is counted of one address, network, app or proof. */
export type Counts = {
  tries: number
  succeeded: number
  failed: number
  spent: number
  nonces: number
  codes: number
  tokens: number
  /** Refused because of an answer. */
  stopped: number
  /** The first one seen, and the others: most people come from one place, and most proofs from one network. */
  first: string | undefined
  others: Set<string> | undefined
  /** How many of them the generation before had seen too. */
  again: number
}

const MOST_KEYS = 100_000
const empty = (): Counts => ({
  tries: 0,
  succeeded: 0,
  failed: 0,
  spent: 0,
  nonces: 0,
  codes: 0,
  tokens: 0,
  stopped: 0,
  first: undefined,
  others: undefined,
  again: 0,
})

const sizeOf = (counts: Counts | undefined) => (counts?.first === undefined ? 0 : 1 + (counts.others?.size ?? 0))
const hasSeen = (counts: Counts | undefined, what: string) =>
  counts !== undefined && (counts.first === what || counts.others?.has(what) === true)

/**
 * Counts over a sliding window in two generations: the running one whole, the one before by the share of it that still lies in the window.
 * @param window seconds
 */
export type Tally = {
  /** The running generation's counts of a key, to add to. */
  of(key: string, now: number): Counts
  /** The window's sum of one count. */
  sum(key: string, count: Exclude<keyof Counts, 'first' | 'others' | 'again'>, now: number): number
  /** Notes somebody or something seen under a key; only as many as tell whether there are more than `most`. */
  see(key: string, what: string, most: number, now: number): void
  /** How many different ones the window has seen. */
  distinct(key: string, now: number): number
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

  const tally: Tally = {
    of(key, now) {
      turn(now)
      let counts = running.get(key)
      if (!counts) {
        // Whoever sends from a hundred thousand addresses is seen by network and app; the memory stays bounded.
        if (running.size >= MOST_KEYS) running.clear()
        running.set(key, (counts = empty()))
      }
      return counts
    },
    sum(key, count, now) {
      turn(now)
      const share = 1 - (now % length) / length
      return (running.get(key)?.[count] ?? 0) + (before.get(key)?.[count] ?? 0) * share
    },
    see(key, what, most, now) {
      const counts = tally.of(key, now)
      if (sizeOf(counts) > most || hasSeen(counts, what)) return
      if (counts.first === undefined) counts.first = what
      else (counts.others ??= new Set()).add(what)
      if (hasSeen(before.get(key), what)) counts.again++
    },
    distinct(key, now) {
      turn(now)
      const counts = running.get(key)
      return sizeOf(counts) + sizeOf(before.get(key)) - (counts?.again ?? 0)
    },
  }
  return tally
}
