import { untrack } from 'svelte'

/** An editable copy of what the server holds. It follows the server until somebody types. */
export class Draft<T extends object> {
  #source: () => T
  value = $state() as T

  constructor(source: () => T) {
    this.#source = source
    this.value = copy(source())
    let known = JSON.stringify(this.value)
    $effect(() => {
      const now = JSON.stringify(source())
      untrack(() => {
        if (JSON.stringify(this.value) === known) this.reset()
        known = now
      })
    })
  }

  get dirty(): boolean {
    return JSON.stringify(this.value) !== JSON.stringify(this.#source())
  }

  reset = () => {
    this.value = copy(this.#source())
  }
}

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
