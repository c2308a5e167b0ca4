const MINUTE_MS = 60_000
const MINUTES = 60
const STEPS = 48
/** Each step of the histogram is a quarter longer than the one before, from half a millisecond to 20 s. */
const FIRST_MS = 0.5
const GROWTH = 1.25

export type CallOutcome = 'accepted' | 'refused' | 'failed'

type Minute = { at: number; accepted: number; refused: number; failed: number; steps: Uint32Array }

/** What calls to one upstream took and how they ended, minute by minute through the last hour, in this process's memory. */
export type Health = { minutes: Minute[]; refusals: Refusal[] }

/** A login that was refused and why; the token is nowhere in it. */
export type Refusal = { at: string; code: string; reason: string; ip: string }

const MOST_REFUSALS = 50

export const newHealth = (): Health => ({ minutes: [], refusals: [] })

/** @param took milliseconds */
export function noteCall(health: Health, now: Date, outcome: CallOutcome, took: number): void {
  const at = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS
  let minute = health.minutes.at(-1)
  if (minute?.at !== at) {
    minute = { at, accepted: 0, refused: 0, failed: 0, steps: new Uint32Array(STEPS) }
    health.minutes.push(minute)
    if (health.minutes.length > MINUTES) health.minutes.shift()
  }
  minute[outcome]++
  minute.steps[stepOf(took)]!++
}

export function noteRefusal(health: Health, refusal: Refusal): void {
  health.refusals.unshift(refusal)
  if (health.refusals.length > MOST_REFUSALS) health.refusals.pop()
}

/** The last hour in figures: counts, and p50 and p99 in milliseconds (null without calls), in all and for each minute. */
export function summarise(health: Health, now: Date) {
  const since = now.getTime() - MINUTES * MINUTE_MS
  const minutes = health.minutes.filter(({ at }) => at > since)
  const all = new Uint32Array(STEPS)
  const total = { accepted: 0, refused: 0, failed: 0 }
  for (const minute of minutes) {
    for (const outcome of ['accepted', 'refused', 'failed'] as const) total[outcome] += minute[outcome]
    for (const [step, count] of minute.steps.entries()) all[step]! += count
  }
  return {
    ...total,
    p50: quantile(all, 0.5),
    p99: quantile(all, 0.99),
    minutes: minutes.map(({ at, accepted, refused, failed, steps }) => ({
      at: new Date(at).toISOString(),
      ...{ accepted, refused, failed },
      p50: quantile(steps, 0.5),
      p99: quantile(steps, 0.99),
    })),
  }
}

function stepOf(took: number): number {
  const step = Math.ceil(Math.log(Math.max(took, FIRST_MS) / FIRST_MS) / Math.log(GROWTH))
  return Math.min(STEPS - 1, step)
}

/** The upper end of the step in which the quantile lies. */
function quantile(steps: Uint32Array, share: number): number | null {
  const count = steps.reduce((sum, some) => sum + some, 0)
  if (count === 0) return null
  let passed = 0
  const step = steps.findIndex((some) => (passed += some) >= share * count)
  return Math.round(FIRST_MS * GROWTH ** step * 10) / 10
}
