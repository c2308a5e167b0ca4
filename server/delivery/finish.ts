import type { Transaction } from '#server/db/database.ts'
import type { Attempt, Lane } from './lane.ts'
import { nextTry } from './schedule.ts'
import {
  addToHour,
  insertAttempts,
  markDelivered,
  markTried,
  type AttemptRow,
  type Claimed,
  type Mark,
} from './store.ts'

export type Tried = { delivery: Claimed; lane: Lane; attempt: Attempt }

const HOUR_MS = 3_600_000

/**
 * Writes a batch of attempts with what became of their deliveries and lanes. What is no longer the worker's own, because it was taken for
 * dead or the event was erased, is left alone.
 */
export async function finish(tx: Transaction, worker: number, tried: Tried[], now: Date): Promise<void> {
  const [delivered, others] = [[], []] as [Tried[], Tried[]]
  for (const one of tried) (one.attempt.verdict.kind === 'delivered' ? delivered : others).push(one)
  const taken = delivered.map(({ delivery }) => delivery.id)
  const marks = others.map((one) => markOf(one, now))
  const own = new Set([...(await markDelivered(tx, worker, taken, now)), ...(await markTried(tx, worker, marks))])
  const kept = tried.filter(({ delivery }) => own.has(delivery.id))
  await insertAttempts(tx, kept.map(rowOf))
  for (const [lane, ofLane] of Map.groupBy(kept, (one) => one.lane)) {
    const attempts = ofLane.map(({ attempt }) => attempt)
    await addToHour(tx, hourOf(lane.id, attempts, now))
    await lane.note(tx, attempts, now)
  }
}

/** What becomes of a delivery after a try that was not taken. */
export function markOf({ delivery, attempt }: Pick<Tried, 'delivery' | 'attempt'>, now: Date): Mark {
  const { verdict, outcome } = attempt
  const same = { id: delivery.id, step: delivery.step, reason: outcome }
  const over = { nextAt: null, finishedAt: now }
  switch (verdict.kind) {
    case 'again':
      return { ...same, status: 'pending', nextAt: new Date(now.getTime() + verdict.afterMs), finishedAt: null }
    case 'skipped':
      return { ...same, ...over, status: 'skipped' }
    case 'retry': {
      const step = delivery.step + 1
      const nextAt = nextTry(step, now, { retryAfterMs: verdict.retryAfterMs })
      return nextAt
        ? { ...same, status: 'pending', step, nextAt, finishedAt: null }
        : { ...same, ...over, status: 'dead', step }
    }
    default:
      return { ...same, ...over, status: 'dead', step: delivery.step + 1 }
  }
}

/** An attempt as its row. */
export function rowOf({ delivery, attempt }: Pick<Tried, 'delivery' | 'attempt'>): Omit<AttemptRow, 'id'> {
  return {
    deliveryId: delivery.id,
    number: delivery.tries + 1,
    at: attempt.at,
    outcome: attempt.outcome,
    status: attempt.status ?? null,
    durationMs: Math.round(attempt.durationMs),
    timings: attempt.timings ? JSON.stringify(rounded(attempt.timings)) : null,
    address: attempt.address ?? null,
    signature: attempt.signature ?? null,
    exchangeSealed: attempt.exchangeSealed ?? null,
  }
}

function hourOf(lane: number, attempts: Attempt[], now: Date) {
  const ok = attempts.filter(({ outcome }) => outcome === 'ok').length
  const times = attempts.map(({ durationMs }) => Math.round(durationMs))
  return {
    lane,
    hour: Math.floor(now.getTime() / HOUR_MS),
    delivered: ok,
    failed: attempts.length - ok,
    totalMs: times.reduce((sum, ms) => sum + ms, 0),
    slowestMs: Math.max(...times),
  }
}

/** A tenth of a millisecond is exact enough. */
function rounded(timings: NonNullable<Attempt['timings']>) {
  const short: typeof timings = {}
  for (const phase in timings) {
    const value = timings[phase]!
    short[phase] = value === null ? null : Math.round(value * 10) / 10
  }
  return short
}
