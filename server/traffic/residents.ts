import type { Database } from '#server/db/database.ts'
import type { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import { subjectHash } from '#server/identity/findOrCreate.ts'
import type { Vault } from '#server/secret/vault.ts'
import { placeOf, type Keys } from './place.ts'
import { addRecent, newRecent, recently, type Recent } from './recent.ts'
import { hasSucceeded, listPlacesOf } from './store.ts'
import type { Try } from './try.ts'

/** So long a place and a person are remembered after they signed in. */
const DAYS = 7
const MOST_REMEMBERED = 200_000
const HOUR_MS = 3_600_000
/** Tries a minute that one person may need, with a nonce for each; more are somebody else's, in their name. */
const TRIES_OF_ONE = 10
/** Questions a second to the database: whoever comes with ever new names gets no more of it. */
const MOST_ASKED = 100
/** So long an answer that nobody is known counts. */
const UNKNOWN_MS = 60_000

/**
 * Who has signed in where of late. Behind the address of a home or an office is also whoever attacks from there: what is done about the one must not keep out
 * the others. Known in memory; what happened before a restart, or at another process, is asked of the database where it matters.
 */
export type Residents = {
  /** Notes a sign-in. */
  settle(attempt: Try, keys: Keys, at: number): void
  /** Whether anybody has signed in at an address or in a network of late, as far as this process knows. */
  lives(key: string, at: number): boolean
  /** The same of the address of a try, by the table of tries too. */
  livesHere(attempt: Try, key: string, at: number): Promise<boolean>
  /** The same, by the table of tries. */
  lived(appId: number, where: { kind: 'address' | 'network'; value: string }, at: number): Promise<boolean>
  /**
   * Whether a try says it is somebody who has signed in at this very address of late, and comes no more often than a person does.
   * @param over the limit of the address that others may have used up: then all their tries count, and at most a tenth of it is theirs
   */
  isOne(attempt: Try, keys: Keys, at: number, over?: AppError): Promise<boolean>
}

/** When an address, a network or somebody at an address last signed in, and what of late was tried in that person's name. */
type Resident = { at: number; signIns: Recent; tries: Recent }

export function createResidents(db: Database, vault: Vault): Residents {
  const known = new Map<string, Resident>()
  const unknown = new Map<string, number>()
  const asked = { second: 0, times: 0 }
  const lives = (key: string, at: number) => at - (known.get(key)?.at ?? -Infinity) < DAYS * 24 * HOUR_MS
  const since = (at: number) => Math.floor(at / HOUR_MS) - DAYS * 24

  function remember(key: string, at: number): Resident {
    const resident = known.get(key) ?? { at: -Infinity, signIns: newRecent(), tries: newRecent() }
    if (at - resident.at < HOUR_MS) return resident
    resident.at = at
    // The latest last; the one that has been away the longest is forgotten first.
    known.delete(key)
    known.set(key, resident)
    if (known.size > MOST_REMEMBERED) known.delete(known.keys().next().value!)
    return resident
  }

  /** Whether something is known, if need be by the database, which is asked of one thing once a minute. */
  async function recall(key: string, at: number, ask: () => Promise<boolean>): Promise<boolean> {
    if (lives(key, at)) return true
    if (at - (unknown.get(key) ?? -Infinity) < UNKNOWN_MS || !mayAsk(at)) return false
    if (unknown.size >= MOST_REMEMBERED) unknown.clear()
    unknown.set(key, at)
    if (!(await ask())) return false
    remember(key, at)
    return true
  }

  function mayAsk(at: number): boolean {
    const second = Math.floor(at / 1000)
    if (asked.second !== second) Object.assign(asked, { second, times: 0 })
    return asked.times++ < MOST_ASKED
  }

  async function signedIn({ app, method, claim, ip }: Try, at: number): Promise<boolean> {
    const kind = method === 'telegram' ? 'telegram' : 'ton'
    const hash = subjectHash(vault, kind, claim!)
    const from = new Date(since(at) * HOUR_MS)
    const places = await listPlacesOf(db, { appId: app.id, kind, subjectHash: hash }, from)
    return places.some((place) => place !== null && limitKey(place) === placeOf(ip).address)
  }

  return {
    settle({ claim }, { address, network }, at) {
      remember(address, at)
      remember(network, at)
      if (claim !== undefined) addRecent(remember(personKey(address, claim), at).signIns, at)
    },
    lives,
    livesHere: ({ app, ip }, key, at) =>
      recall(key, at, () => hasSucceeded(db, app.id, { kind: 'address', value: placeOf(ip).address }, since(at))),
    lived: (appId, where, at) => hasSucceeded(db, appId, where, since(at)),
    async isOne(attempt, { address }, at, over) {
      const { claim } = attempt
      if (claim === undefined) return false
      const key = personKey(address, claim)
      if (!(await recall(key, at, () => signedIn(attempt, at)))) return false
      const { tries: tried, signIns } = remember(key, at)
      addRecent(tried, at)
      const tries = recently(tried, at)
      if (!over) return tries <= TRIES_OF_ONE
      const share = Math.min(TRIES_OF_ONE, Math.floor(Number(over.details?.['limit'] ?? 0) / 10))
      return tries + recently(signIns, at) <= share
    },
  }
}

const personKey = (address: string, claim: string) => `${address} as ${claim}`
