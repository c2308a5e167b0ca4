import { param, set } from './url.ts'

type Row = { id: string }

/**
 * Opening rows of a list in a drawer beside it: which one is in the address (`?name=`). Where there is no room for a drawer, the row's link leads to
 * its own page.
 */
export function drawerOf(name: string, items: () => readonly Row[] | undefined) {
  const here = () => ({ cursor: param('cursor') ?? null })
  const focus = (id: string | undefined) =>
    document.querySelector<HTMLElement>(`tr[data-id="${id}"] a[data-row]`)?.focus()
  return {
    show(row: Row, event: MouseEvent) {
      if (event.metaKey || event.ctrlKey || event.shiftKey || !matchMedia('(min-width: 1024px)').matches) return
      event.preventDefault()
      void set({ [name]: row.id, ...here() }, { replace: !!param(name) })
    },
    step(by: number) {
      const at = items()?.findIndex((item) => item.id === param(name)) ?? -1
      const next = items()?.[at + by]
      if (at < 0 || !next) return
      void set({ [name]: next.id, ...here() }, { replace: true })
      focus(next.id)
    },
    close() {
      const last = param(name)
      void set({ [name]: null, ...here() }).then(() => focus(last))
    },
  }
}
