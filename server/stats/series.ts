import type { Runtime } from '#server/runtime.ts'
import { quantile } from './latency.ts'
import { sumFigures } from './store.ts'

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

/** What belongs to an app. */
const OF_APPS = ['signin.', 'ended.', 'nonce.', 'user.', 'delivery.', 'mail.']

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
  // Times of calls and of revocation belong to no app.
  const [rows, timed] = await Promise.all([
    sumFigures(runtime.db, { step, from: first, to: last, appIds, names: OF_APPS }),
    sumFigures(runtime.db, { step, from: first, to: last, appIds: [0], names: ['call.', 'revocation.'] }),
  ])
  const byPlace = Map.groupBy([...rows, ...timed], ({ at }) => at)
  const points = Array.from({ length: last - first + 1 }, (_, n) => first + n).map((at) => ({
    at: new Date(at * step * 60_000),
    ...fold(byPlace.get(at) ?? []),
  }))
  const all = [...rows, ...timed]
  return {
    step,
    points,
    totals: {
      ...fold(all),
      byMethod: tally(all, /^signin\.(\w+)\.ok$/),
      byFailure: tally(all, /^signin\.\w+\.(?!ok$)(\w+)$/),
      byMail: tally(all, /^mail\.(\w+)$/),
      byEnd: tally(all, /^ended\.(\w+)$/),
      revocation: timesOf(all, 'revocation.'),
    },
  }
}

type Row = { name: string; n: number }

function fold(rows: Row[]): Omit<Point, 'at'> {
  const point = {
    ...{ signIns: 0, failures: 0, stopped: 0, evictions: 0, ended: 0, users: 0, nonces: 0 },
    ...{ delivered: 0, undelivered: 0, mailed: 0, unmailed: 0 },
  }
  for (const { name, n } of rows) {
    const [kind, what, outcome] = name.split('.')
    if (kind === 'signin' && what !== 'link') {
      if (outcome === 'ok') point.signIns += n
      else if (STOPPED.has(outcome!)) point.stopped += n
      else point.failures += n
    } else if (kind === 'ended') {
      point.ended += n
      if (what === 'limit_exceeded') point.evictions += n
    } else if (kind === 'nonce' && what === 'ok') point.nonces += n
    else if (kind === 'user') point.users += n
    else if (kind === 'delivery') point[what === 'delivered' ? 'delivered' : 'undelivered'] += n
    else if (kind === 'mail' && what !== 'put_off')
      point[what === 'sent' || what === 'kept' ? 'mailed' : 'unmailed'] += n
  }
  const { p50, p99 } = timesOf(rows, 'call.')
  return { ...point, p50, p99 }
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
