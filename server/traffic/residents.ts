import type { Reader } from '#server/db/database.ts'
import { hasSucceeded } from './store.ts'
import type { Tally } from './tally.ts'
import type { Keys, Try } from './try.ts'

/** So long a place and a person are remembered after they signed in. */
const DAYS = 7
const MOST_REMEMBERED = 200_000
const HOUR_MS = 3_600_000
/** Tries a minute that one person may need, with a nonce for each; more are somebody else's, in their name. */
const TRIES_OF_ONE = 10

/**
 * Who has signed in where of late. Behind the address of a home or an office is also whoever attacks from there: what is done about the one must not keep out
 * the others.
 */
export type Residents = {
  /** Notes a sign-in. */
  settle(attempt: Try, keys: Keys, at: number): void
  /** Whether anybody has signed in at an address or in a network of late, as far as this process knows. */
  lives(key: string, at: number): boolean
  /** The same, by the table of tries. */
  lived(appId: number, where: { kind: 'address' | 'network'; value: string }, at: number): Promise<boolean>
  /** Whether a try says it is somebody who has signed in at this very address of late, and comes no more often than a person does. */
  isOne(attempt: Try, keys: Keys, at: number): boolean
}

/** @param minute where tries in a person's name are counted */
export function createResidents(db: Reader, minute: Tally): Residents {
  const known = new Map<string, number>()
  const lives = (key: string, at: number) => at - (known.get(key) ?? -Infinity) < DAYS * 24 * HOUR_MS

  function remember(key: string, at: number): void {
    if (at - (known.get(key) ?? -Infinity) < HOUR_MS) return
    // The latest last; the one that has been away the longest is forgotten first.
    known.delete(key)
    known.set(key, at)
    if (known.size > MOST_REMEMBERED) known.delete(known.keys().next().value!)
  }

  return {
    settle({ claim }, { address, network }, at) {
      remember(address, at)
      remember(network, at)
      if (claim !== undefined) remember(personKey(address, claim), at)
    },
    lives,
    lived: (appId, where, at) => hasSucceeded(db, appId, where, Math.floor(at / HOUR_MS) - DAYS * 24),
    isOne({ claim }, { address }, at) {
      if (claim === undefined) return false
      const key = personKey(address, claim)
      if (!lives(key, at)) return false
      minute.of(key, at).tries++
      return minute.sum(key, 'tries', at) <= TRIES_OF_ONE
    },
  }
}

const personKey = (address: string, claim: string) => `${address} as ${claim}`
