/** What was proved of a secret text, by the whole text, in memory only. Bounded: the longest unused go first. */
export type Remembered<V> = {
  get(text: string): V | undefined
  add(text: string, proved: V): void
  clear(): void
}

const MOST = 20_000

export function createRemembered<V>(most = MOST): Remembered<V> {
  let young = new Map<string, V>()
  let old = new Map<string, V>()

  function add(text: string, proved: V): void {
    if (young.size >= most / 2) {
      old = young
      young = new Map()
    }
    young.set(text, proved)
  }

  return {
    get(text) {
      const known = young.get(text)
      if (known !== undefined) return known
      const aged = old.get(text)
      if (aged !== undefined) add(text, aged)
      return aged
    },
    add,
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
