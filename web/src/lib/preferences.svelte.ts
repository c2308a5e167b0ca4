type Theme = 'light' | 'dark' | 'system'
type Density = 'compact' | 'default' | 'relaxed'

const read = (name: string) => localStorage.getItem(`gatehouse.${name}`)

class Preferences {
  theme = $state<Theme>((read('theme') as Theme) ?? 'system')
  density = $state<Density>((read('density') as Density) ?? 'default')
  /** WCAG 2.1.4: whoever speaks to the machine or types by accident can turn single keys off. */
  keys = $state(read('keys') !== 'off')

  setTheme(theme: Theme) {
    this.theme = theme
    this.#keep('theme', theme === 'system' ? null : theme)
  }
  setDensity(density: Density) {
    this.density = density
    this.#keep('density', density === 'default' ? null : density)
  }
  setKeys(on: boolean) {
    this.keys = on
    this.#keep('keys', on ? null : 'off')
  }

  /** theme.js repaints on storage events, which a browser only sends to the other tabs. */
  #keep(name: string, value: string | null) {
    if (value === null) localStorage.removeItem(`gatehouse.${name}`)
    else localStorage.setItem(`gatehouse.${name}`, value)
    dispatchEvent(new StorageEvent('storage'))
  }
}

export const preferences = new Preferences()
