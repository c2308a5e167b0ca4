import { param } from './url.ts'

const presets = [
  { value: '1h', label: 'Last hour', seconds: 3600 },
  { value: '24h', label: 'Last 24 hours', seconds: 86_400 },
  { value: '7d', label: 'Last 7 days', seconds: 604_800 },
  { value: '30d', label: 'Last 30 days', seconds: 2_592_000 },
  { value: '1y', label: 'Last year', seconds: 31_536_000 },
]

/** Two moments in an address bar, as one value (ISO 8601 interval). */
export const intervalOf = (from: string, to: string): string => `${from}/${to}`

function ends(text: string): { from: string; to: string } | undefined {
  const [from = '', to = ''] = text.split('/')
  if (Number.isNaN(Date.parse(from)) || Number.isNaN(Date.parse(to))) return undefined
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
}

/** When something happened, as a value of the address bar says it: a preset that ends now, or an interval. Nothing where it says none. */
export function when(name: string): { from?: string; to?: string } {
  const text = param(name) ?? ''
  const preset = presets.find(({ value }) => value === text)
  if (preset) return { from: new Date(Date.now() - preset.seconds * 1000).toISOString() }
  return ends(text) ?? {}
}

/** In words, for a chip. */
export function whenWords(text: string): string {
  const preset = presets.find(({ value }) => value === text)
  if (preset) return preset.label.toLowerCase()
  const found = ends(text)
  return found ? `${plain(found.from)} to ${plain(found.to)} UTC` : text
}
const plain = (at: string) => at.slice(0, 16).replace('T', ' ')

/** What a list's choice of time holds: the presets, and an interval that was chosen elsewhere. */
export function ranges(name: string, any = 'Any time'): { value: string; label: string }[] {
  const text = param(name) ?? ''
  const own = ends(text) ? [{ value: text, label: whenWords(text) }] : []
  return [{ value: '', label: any }, ...presets, ...own]
}
