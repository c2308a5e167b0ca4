import { SvelteSet } from 'svelte/reactivity'

/** Chosen rows of one list; Shift extends from the last touched row. */
export class Selection {
  ids = new SvelteSet<string>()
  /** "All that match", also those not on this page. */
  everything = $state(false)
  #last: string | undefined

  toggle(id: string, order: string[], extend = false) {
    this.everything = false
    const on = !this.ids.has(id)
    const [from, to] = [order.indexOf(this.#last ?? id), order.indexOf(id)].sort((a, b) => a - b) as [number, number]
    for (const one of extend && from >= 0 ? order.slice(from, to + 1) : [id]) {
      if (on) this.ids.add(one)
      else this.ids.delete(one)
    }
    this.#last = id
  }

  toggleAll(order: string[]) {
    const all = order.length > 0 && order.every((id) => this.ids.has(id))
    this.clear()
    if (!all) for (const id of order) this.ids.add(id)
  }

  clear() {
    this.ids.clear()
    this.everything = false
  }
}
