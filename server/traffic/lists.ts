import { isWithin, parseNetworks } from '#server/http/address.ts'
import type { Place } from './place.ts'
import type { BlockRow } from './store.ts'

export type Entry = Pick<BlockRow, 'effect' | 'kind' | 'value' | 'appId' | 'expiresAt' | 'automatic'> & { id?: number }

const MOST_REMEMBERED = 20_000

/** Blocks and allowances, ready to be asked about an address. */
export type Lists = {
  /** The entry that decides for an address in an app: an allowance before every block, a block by hand before one by itself. */
  find(place: Place, appId: number | 'any' | undefined, now: number): Entry | undefined
  /** Whether anything at all is blocked by hand: most of the time nothing is. */
  any: boolean
  size: number
}

export function createLists(entries: readonly Entry[]): Lists {
  const byValue = Map.groupBy(
    entries.filter(({ value }) => value !== null),
    ({ value }) => value!,
  )
  // The two sizes that are made by themselves are found by name; only what people wrote otherwise has to be compared.
  const ranges = entries
    .filter(({ kind, value }) => kind === 'network' && value !== null)
    .map((entry) => ({ entry, range: parseNetworks([entry.value!]) }))
  const apps = entries.filter(({ kind }) => kind === 'app')
  const remembered = new Map<string, Entry[]>()

  function around(place: Place): Entry[] {
    let found = remembered.get(place.ip)
    if (!found) {
      found = [
        ...new Set([
          ...(byValue.get(place.ip) ?? []),
          ...(byValue.get(place.address) ?? []),
          ...ranges.filter(({ range }) => isWithin(place.ip, range)).map(({ entry }) => entry),
        ]),
      ].sort((a, b) => weight(b) - weight(a))
      if (remembered.size >= MOST_REMEMBERED) remembered.clear()
      remembered.set(place.ip, found)
    }
    return found
  }

  const holds = (entry: Entry, appId: number | 'any' | undefined, now: number) =>
    (entry.appId === null || appId === 'any' || entry.appId === appId) &&
    (entry.expiresAt === null || entry.expiresAt.getTime() > now)

  return {
    any: entries.some(({ effect, automatic }) => effect === 'block' && !automatic),
    size: entries.length,
    find(place, appId, now) {
      if (entries.length === 0) return undefined
      const near = around(place).find((entry) => holds(entry, appId, now))
      if (near?.effect === 'allow' || apps.length === 0) return near
      const whole = apps.filter((entry) => holds(entry, appId, now))
      return whole.find(({ effect }) => effect === 'allow') ?? near ?? whole[0]
    },
  }
}

const weight = ({ effect, automatic }: Entry) => (effect === 'allow' ? 2 : automatic ? 0 : 1)
