import { param } from '../url.ts'

/** The spans that people ask for; what was drawn over a chart is `from` and `to` instead. */
export const presets = [
  { value: '1h', label: '1 h', seconds: 3600 },
  { value: '24h', label: '24 h', seconds: 86_400 },
  { value: '7d', label: '7 d', seconds: 604_800 },
  { value: '30d', label: '30 d', seconds: 2_592_000 },
  { value: '1y', label: '1 y', seconds: 31_536_000 },
] as const

export type Range = { preset: string | undefined; from: string | undefined; to: string | undefined; words: string }

const isInstant = (text: string | undefined): text is string => text !== undefined && !Number.isNaN(Date.parse(text))
const plain = (at: string) => at.slice(0, 16).replace('T', ' ')

/** The range as the address bar says it; 24 hours where it says none. */
export function range(): Range {
  const [from, to] = [param('from'), param('to')]
  if (isInstant(from) && isInstant(to))
    return { preset: undefined, from, to, words: `${plain(from)} to ${plain(to)} UTC` }
  const preset = presets.find((one) => one.value === param('range')) ?? presets[1]
  return { preset: preset.value, from: undefined, to: undefined, words: `last ${preset.label}` }
}

/** What the server is asked; a preset ends now, whenever that is. */
export function asked({ preset, from, to }: Range): { from: string; to: string } {
  if (from && to) return { from, to }
  const now = Date.now()
  const { seconds } = presets.find((one) => one.value === preset)!
  return { from: new Date(now - seconds * 1000).toISOString(), to: new Date(now).toISOString() }
}
