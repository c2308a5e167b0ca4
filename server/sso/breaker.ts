/** Contract §5: five failures in a row, then ten seconds of nothing, then one try. */
const MOST_FAILURES = 5
const OPEN_MS = 10_000

/** Keeps callers from waiting for a server that is down. All times are milliseconds since the epoch. */
export type Breaker = { failures: number; openUntil: number; probing: boolean }

export type BreakerState = 'closed' | 'open' | 'half_open'

export const newBreaker = (): Breaker => ({ failures: 0, openUntil: 0, probing: false })

export function breakerState(breaker: Breaker, now: number): BreakerState {
  if (breaker.failures < MOST_FAILURES) return 'closed'
  return now < breaker.openUntil ? 'open' : 'half_open'
}

/** Whether a call may go out now; after the pause only one does, and how it ends decides for the others. */
export function admits(breaker: Breaker, now: number): boolean {
  const state = breakerState(breaker, now)
  if (state === 'closed') return true
  if (state === 'open' || breaker.probing) return false
  breaker.probing = true
  return true
}

export function noteSuccess(breaker: Breaker): void {
  breaker.failures = 0
  breaker.probing = false
}

export function noteFailure(breaker: Breaker, now: number): void {
  breaker.failures++
  // Calls that were on their way when it opened do not lengthen the pause; a failed probe begins a new one.
  if (breaker.failures >= MOST_FAILURES && now >= breaker.openUntil) breaker.openUntil = now + OPEN_MS
  breaker.probing = false
}

/** Whole seconds until the next try, at least one. */
export const secondsUntilProbe = (breaker: Breaker, now: number): number =>
  Math.max(1, Math.ceil((breaker.openUntil - now) / 1000))
