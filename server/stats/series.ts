import type { Runtime } from '#server/runtime.ts'
import { quantile } from './latency.ts'
import { sumAll, sumOfApps, sumOfInstallation } from './store.ts'

/** Steps in minutes, and how far back each is kept. */
const steps = [
  { step: 1, mostPoints: 400 },
  { step: 60, mostPoints: 400 },
  { step: 1440, mostPoints: 4_000 },
] as const

export type Point = {
  at: Date
  signIns: number
  failures: number
  stopped: number
  evictions: number
  ended: number
  users: number
  nonces: number
  /** Tries to deliver that were taken, and that were not. */
  delivered: number
  undelivered: number
  /** Mails that were sent, or kept where there is no server, and that were not and will not be. */
  mailed: number
  unmailed: number
  /** Milliseconds; null while there were no calls. */
  p50: number | null
  p99: number | null
}

export type Series = {
  /** Minutes a point. */
  step: number
  points: Point[]
  totals: {
    signIns: number
    failures: number
    stopped: number
    evictions: number
    ended: number
    users: number
    nonces: number
    delivered: number
    undelivered: number
    mailed: number
    unmailed: number
    byMail: Record<string, number>
    byMethod: Record<string, number>
    byFailure: Record<string, number>
    byEnd: Record<string, number>
    p50: number | null
    p99: number | null
    revocation: { measured: number; p50: number | null; p99: number | null }
  }
}

/** What the watch refused, apart from what failed by itself. */
const STOPPED = new Set(['rate_limited', 'challenge_required', 'forbidden'])

/**
 * What happened between two moments, in points that suit the span: minutes up to some hours, hours up to two weeks, days beyond. Read from roll-ups, so that
 * a year costs as much as a day.
 * @param appIds undefined is everything
 */
export async function readSeries(
  runtime: Runtime,
  span: { from: Date; to: Date },
  appIds: number[] | undefined,
): Promise<Series> {
  await runtime.figures.flush()
  const minutes = (span.to.getTime() - span.from.getTime()) / 60_000
  const { step } = steps.find((one) => minutes / one.step <= one.mostPoints) ?? steps[2]
  const place = (at: Date) => Math.floor(at.getTime() / 60_000 / step)
  const [first, last] = [place(span.from), place(span.to)]
  const stretch = { step, from: first, to: last }
  const [rows, timed] = await Promise.all([
    appIds ? sumOfApps(runtime.db, stretch, appIds) : sumAll(runtime.db, stretch),
    sumOfInstallation(runtime.db, stretch),
  ])
  const all = [...rows, ...timed]
  const byPlace = Map.groupBy(all, ({ at }) => at)
  const points = Array.from({ length: last - first + 1 }, (_, n) => first + n).map((at) => ({
    at: new Date(at * step * 60_000),
    ...fold(byPlace.get(at) ?? []),
  }))
  const whole = sumByName(all)
  return {
    step,
    points,
    totals: {
      ...fold(whole),
      byMethod: tally(whole, /^signin\.(\w+)\.ok$/),
      byFailure: tally(whole, /^signin\.\w+\.(?!ok$)(\w+)$/),
      byMail: tally(whole, /^mail\.(\w+)$/),
      byEnd: tally(whole, /^ended\.(\w+)$/),
      revocation: timesOf(whole, 'revocation.'),
    },
  }
}

type Row = { name: string; n: number }

/** Names are few and rows are many. */
function sumByName(rows: Row[]): Row[] {
  const sums = new Map<string, number>()
  for (const { name, n } of rows) sums.set(name, (sums.get(name) ?? 0) + n)
  return [...sums].map(([name, n]) => ({ name, n }))
}

type Counts = Omit<Point, 'at' | 'p50' | 'p99'>

function fold(rows: Row[]): Omit<Point, 'at'> {
  const counts: Counts = {
    ...{ signIns: 0, failures: 0, stopped: 0, evictions: 0, ended: 0, users: 0, nonces: 0 },
    ...{ delivered: 0, undelivered: 0, mailed: 0, unmailed: 0 },
  }
  for (const { name, n } of rows) for (const what of meaningOf(name)) counts[what] += n
  const { p50, p99 } = timesOf(rows, 'call.')
  return { ...counts, p50, p99 }
}

const meanings = new Map<string, (keyof Counts)[]>()

/** What a figure counts as, worked out once a name. */
function meaningOf(name: string): (keyof Counts)[] {
  let meaning = meanings.get(name)
  if (!meaning) meanings.set(name, (meaning = readName(name)))
  return meaning
}

function readName(name: string): (keyof Counts)[] {
  const [kind, what, outcome] = name.split('.')
  switch (kind) {
    case 'signin':
      if (what === 'link') return []
      return outcome === 'ok' ? ['signIns'] : STOPPED.has(outcome!) ? ['stopped'] : ['failures']
    case 'ended':
      return what === 'limit_exceeded' ? ['ended', 'evictions'] : ['ended']
    case 'nonce':
      return what === 'ok' ? ['nonces'] : []
    case 'user':
      return ['users']
    case 'delivery':
      return [what === 'delivered' ? 'delivered' : 'undelivered']
    case 'mail':
      return what === 'put_off' ? [] : [what === 'sent' || what === 'kept' ? 'mailed' : 'unmailed']
    default:
      return []
  }
}

function timesOf(rows: Row[], prefix: string) {
  const counts = new Map<string, number>()
  for (const { name, n } of rows) {
    if (!name.startsWith(prefix)) continue
    const bucket = name.slice(prefix.length)
    counts.set(bucket, (counts.get(bucket) ?? 0) + n)
  }
  const measured = [...counts.values()].reduce((sum, n) => sum + n, 0)
  return { measured, p50: quantile(counts, 0.5) ?? null, p99: quantile(counts, 0.99) ?? null }
}

function tally(rows: Row[], pattern: RegExp): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { name, n } of rows) {
    const key = pattern.exec(name)?.[1]
    if (key !== undefined) sums[key] = (sums[key] ?? 0) + n
  }
  return sums
}
