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
  who: Set<string> | undefined
  /** How many of `who` the generation before knew too. */
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
  who: undefined,
  again: 0,
})

/**
 * Counts over a sliding window in two generations: the running one whole, the one before by the share of it that still lies in the window.
 * @param window seconds
 */
export type Tally = {
  /** The running generation's counts of a key, to add to. */
  of(key: string, now: number): Counts
  /** The window's sum of one count. */
  sum(key: string, count: Exclude<keyof Counts, 'who' | 'again'>, now: number): number
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
      const who = (counts.who ??= new Set())
      if (who.size > most || who.has(what)) return
      who.add(what)
      if (before.get(key)?.who?.has(what)) counts.again++
    },
    distinct(key, now) {
      turn(now)
      const counts = running.get(key)
      return (counts?.who?.size ?? 0) + (before.get(key)?.who?.size ?? 0) - (counts?.again ?? 0)
    },
  }
  return tally
}
