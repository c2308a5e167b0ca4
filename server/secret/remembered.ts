/** What was proved of a secret text, by the whole text, in memory only. Bounded: the longest unused go first. */
export type Remembered<V> = {
  get(text: string): V | undefined
  add(text: string, proved: V): void
  clear(): void
}

type Entry<V> = { text: string; proved: V }

const MOST = 20_000
/** Entries are found by their end, where a JWT has its signature, and then compared whole: to hash the whole of each takes longer. */
const END = 48

export function createRemembered<V>(most = MOST): Remembered<V> {
  let young = new Map<string, Entry<V>>()
  let old = new Map<string, Entry<V>>()

  function put(key: string, entry: Entry<V>): void {
    if (young.size >= most / 2) {
      old = young
      young = new Map()
    }
    young.set(key, entry)
  }

  return {
    get(text) {
      const key = text.slice(-END)
      const known = young.get(key)
      if (known !== undefined) return known.text === text ? known.proved : undefined
      const aged = old.get(key)
      if (aged?.text !== text) return undefined
      put(key, aged)
      return aged.proved
    },
    add: (text, proved) => put(text.slice(-END), { text, proved }),
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
