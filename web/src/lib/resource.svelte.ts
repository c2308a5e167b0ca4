import { untrack } from 'svelte'
import { leaveIfSignedOut, problem, type Problem } from './api.ts'

const remembered = new Map<string, unknown>()
const mounted = new Set<{ reload(): Promise<void> }>()

/**
 * What a page shows of the server, keyed by what it asks for; a null key asks for nothing. A known answer is shown at once and refreshed behind it, so
 * going back never flashes; a changed key keeps the old rows (`stale`) until the new ones are there, so nothing jumps.
 */
export class Resource<T> {
  data = $state.raw<T>()
  problem = $state.raw<Problem>()
  loading = $state(true)
  stale = $state(false)
  #turn = 0
  #key = ''
  #load: () => Promise<T>

  constructor(key: () => unknown, load: () => Promise<T>, options: { keep?: boolean } = {}) {
    this.#load = load
    const first = untrack(() => JSON.stringify(key()))
    if (remembered.has(first)) this.data = remembered.get(first) as T
    $effect(() => {
      const next = JSON.stringify(key())
      untrack(() => {
        if (next === 'null' || next === undefined) return
        this.#key = next
        this.stale = !remembered.has(next)
        if (remembered.has(next)) this.data = remembered.get(next) as T
        else if (!options.keep) this.data = undefined
        void this.reload()
      })
    })
    $effect(() => {
      mounted.add(this)
      return () => void mounted.delete(this)
    })
  }

  reload = async (): Promise<void> => {
    if (!this.#key) return
    const turn = ++this.#turn
    const key = this.#key
    this.loading = true
    try {
      const data = await this.#load()
      if (turn !== this.#turn) return
      remember(key, data)
      this.data = data
      this.problem = undefined
      this.stale = false
    } catch (error) {
      if (turn === this.#turn && !leaveIfSignedOut(error)) this.problem = problem(error)
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }
}

function remember(key: string, data: unknown) {
  remembered.delete(key)
  remembered.set(key, data)
  if (remembered.size > 60) remembered.delete(remembered.keys().next().value!)
}

/** After a change: everything on screen asks again, everything remembered is doubtful. */
export async function refresh(): Promise<void> {
  remembered.clear()
  await Promise.all([...mounted].map((resource) => resource.reload()))
}

export const forget = () => remembered.clear()
