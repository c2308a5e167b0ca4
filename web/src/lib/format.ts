const units: [limit: number, seconds: number, short: string][] = [
  [3600, 60, 'min'],
  [86_400, 3600, 'h'],
  [86_400 * 60, 86_400, 'd'],
  [Infinity, 86_400 * 30, 'mo'],
]

/** "4 min ago", "in 3 d": short enough for a table column; the exact moment belongs beside it. */
export function relative(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000)
  const span = Math.abs(seconds)
  if (span < 45) return seconds > 5 ? 'in a moment' : 'just now'
  const [, size, unit] = units.find(([limit]) => span < limit)!
  const text = `${Math.max(1, Math.round(span / size))} ${unit}`
  return seconds < 0 ? `${text} ago` : `in ${text}`
}

export const utc = (at: string) =>
  new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')

const number = new Intl.NumberFormat('en')
export const count = (n: number) => number.format(n)
export const plural = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`

/** Lists are counted no further than this (server/console/page.ts). */
const MOST_COUNTED = 10_000

/** "4 apps"; where the count was given up, "10,000+ sessions". */
export const upTo = (n: number, one: string, many?: string) =>
  n < MOST_COUNTED ? plural(n, one, many) : `${counted(n)} ${many ?? `${one}s`}`
export const counted = (n: number) => (n < MOST_COUNTED ? count(n) : `${count(MOST_COUNTED)}+`)

const spans: [seconds: number, unit: string][] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'min'],
]

/** 1800 → "30 min", 604800 → "7 days"; a value that fits no unit stays in seconds. */
export function duration(seconds: number): string {
  for (const [size, unit] of spans) {
    if (seconds >= size && seconds % size === 0) {
      const n = seconds / size
      return `${count(n)} ${unit}${n === 1 || unit === 'min' ? '' : 's'}`
    }
  }
  return `${count(seconds)} s`
}

/** ses_01hx…9f2k: both ends survive, because people compare both ends. */
export const shorten = (id: string, head = 8, tail = 4) =>
  id.length <= head + tail + 1 ? id : `${id.slice(0, head)}…${id.slice(-tail)}`

/** 1234 → "1.2 s", 41.6 → "42 ms", 0.42 → "0.4 ms". */
export const milliseconds = (ms: number) =>
  ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms >= 10 ? Math.round(ms) : Math.round(ms * 10) / 10} ms`
