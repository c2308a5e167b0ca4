/** An editable copy of what the server holds. It follows the server until somebody types. */
export class Draft<T extends object> {
  #source: () => T
  value = $state() as T

  constructor(source: () => T) {
    this.#source = source
    this.value = copy(source())
  }

  get dirty(): boolean {
    return JSON.stringify(this.value) !== JSON.stringify(this.#source())
  }

  reset = () => {
    this.value = copy(this.#source())
  }
}

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
