import { tick } from 'svelte'
import { useKeys } from './keys.svelte.ts'

const links = () => [...document.querySelectorAll<HTMLElement>('a[data-row]')]
const rowId = (link: Element | null | undefined) => link?.closest('tr')?.dataset['id']
const current = () => document.activeElement?.closest('tr')?.querySelector<HTMLElement>('a[data-row]') ?? null

/** Moving through a table by keyboard. The focused element is the row's own link, so Enter and screen readers just work. */
export function useRows(
  options: { select?: (id: string) => void; act?: { label: string; run: (id: string) => unknown } } = {},
) {
  const move = (step: number) => {
    const all = links()
    const at = all.indexOf(current() as HTMLElement)
    const next = at < 0 ? all[step > 0 ? 0 : all.length - 1] : all[Math.min(all.length - 1, Math.max(0, at + step))]
    next?.focus()
    next?.scrollIntoView({ block: 'nearest' })
  }
  const { select, act } = options
  useKeys([
    { keys: 'j', label: 'Next row', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous row', group: 'List', run: () => move(-1) },
    ...(select ? [{ keys: 'x', label: 'Select row', group: 'List', run: () => withRow(select) }] : []),
    ...(act ? [{ keys: 'r', label: act.label, group: 'List', run: () => withRow(act.run) }] : []),
    {
      keys: 'c',
      label: 'Copy id of row',
      group: 'List',
      run: () => withRow((id) => navigator.clipboard.writeText(id)),
    },
  ])
}

function withRow(run: (id: string) => unknown) {
  const id = rowId(current())
  if (id) run(id)
}

/** Keeps the place in the table when the focused row goes away: the next one takes it. */
export async function keepPlace(change: () => Promise<unknown>) {
  const at = links().indexOf(current() as HTMLElement)
  await change()
  await tick()
  if (at >= 0 && (document.activeElement === document.body || !document.activeElement))
    links()[Math.min(at, links().length - 1)]?.focus()
}
