import { untrack } from 'svelte'
import type { NotificationItem } from '../api.ts'

const EVERY_MS = 2_000

type Options = {
  /** The newest page as the server last told it, and what it is a page of. */
  items: () => NotificationItem[] | undefined
  key: () => unknown
  on: () => boolean
  reload: () => Promise<unknown>
  /** Whether somebody reads: then nothing may move under their eyes. */
  reading: () => boolean
}

/**
 * A list that follows what happens. Known rows change where they stand; new ones come in on top, but wait (`waiting`) while somebody reads.
 */
export class LiveList {
  shown = $state.raw<NotificationItem[]>()
  waiting = $state(0)
  /** Ids that came in while one looked, to be tinted once. */
  fresh = $state.raw<ReadonlySet<string>>(new Set())
  #options: Options

  constructor(options: Options) {
    this.#options = options
    let key = ''
    $effect(() => {
      const items = options.items()
      const now = JSON.stringify(options.key())
      const on = options.on()
      untrack(() => {
        const same = now === key
        key = now
        if (!items || !this.shown || !same || !on || !options.reading()) this.#take(items, same && on)
        else this.#hold(items)
      })
    })
    $effect(() => {
      if (!options.on()) return
      const timer = setInterval(() => !document.hidden && void options.reload(), EVERY_MS)
      return () => clearInterval(timer)
    })
  }

  /** Lets in what waited. */
  show = () => this.#take(this.#options.items(), true)

  #take(items: NotificationItem[] | undefined, tint: boolean) {
    const known = new Set(this.shown?.map((item) => item.id))
    this.fresh = new Set(tint && this.shown ? items?.filter((item) => !known.has(item.id)).map(({ id }) => id) : [])
    this.shown = items
    this.waiting = 0
  }

  #hold(items: NotificationItem[]) {
    const newest = new Map(items.map((item) => [item.id, item]))
    const known = new Set(this.shown!.map((item) => item.id))
    this.shown = this.shown!.map((item) => newest.get(item.id) ?? item)
    this.waiting = items.filter((item) => !known.has(item.id)).length
  }
}
