import { count } from '../format.ts'

/** What a chart draws: one row a moment, in order. */
export type Row = { at: string; values: (number | null)[] }
export type Series = { label: string; color: string; kind: 'bar' | 'line' }

/** The next round number above whose half is round too, so that the axis has short labels. */
export function roundUp(most: number, least = 4): number {
  const top = Math.max(most, least)
  const size = 10 ** Math.floor(Math.log10(top))
  return [1, 2, 4, 6, 8, 10].map((step) => step * size).find((step) => step >= top)!
}

const two = (n: number) => String(n).padStart(2, '0')

/** A moment as the axis and the table name it, as fine as the step needs. All times are UTC, as in the lists. */
export function moment(at: string, stepMinutes: number): string {
  const date = new Date(at)
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`
  if (stepMinutes >= 1440) return day
  return `${day.slice(5)} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

export const short = (n: number): string =>
  n >= 1e6 ? `${+(n / 1e6).toFixed(1)}M` : n >= 1e4 ? `${Math.round(n / 1e3)}k` : String(+n.toFixed(n < 10 ? 2 : 0))

export const say = (value: number | null, unit: string): string =>
  value === null ? '–' : `${count(+value.toFixed(2))}${unit}`
