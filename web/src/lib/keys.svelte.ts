import { untrack } from 'svelte'
import { tinykeys } from 'tinykeys'
import { preferences } from './preferences.svelte.ts'

export type Shortcut = { keys: string; label: string; group: string; run: (event: KeyboardEvent) => unknown }

export const shortcuts = $state<Shortcut[]>([])

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  (target as HTMLInputElement).type !== 'checkbox'

/** Keys that live as long as the component that names them; the help sheet lists what is registered right now. */
export function useKeys(list: Shortcut[]) {
  $effect(() => {
    untrack(() => shortcuts.push(...list))
    const stops = list.map(({ keys, run }) => {
      const single = !/\$mod|Control|Meta/.test(keys)
      return tinykeys(window, {
        [keys]: (event) => {
          if (single && (!preferences.keys || typing(event.target) || event.ctrlKey || event.metaKey || event.altKey))
            return
          if (single && document.querySelector('dialog[open]')) return
          event.preventDefault()
          run(event)
        },
      })
    })
    return () => {
      for (const stop of stops) stop()
      for (const one of list) {
        const index = shortcuts.findIndex((other) => other.keys === one.keys && other.run === one.run)
        if (index >= 0) shortcuts.splice(index, 1)
      }
    }
  })
}
