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

/** Members that may be missing, as text fields hold them; and back, an empty one cleared. */
export const written = <T extends Record<string, string | null>>(values: T) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? ''])) as { [Key in keyof T]: string }
export const emptied = <T extends Record<string, string>>(values: T) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim() || null])) as {
    [Key in keyof T]: string | null
  }
