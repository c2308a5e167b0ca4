const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000]

/** Milliseconds from one failed try to the next (Standard Webhooks 1.0): the first goes at once, and after the tenth a delivery is dead. */
export const DELAYS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

const MOST_JITTER = 0.2
const LONGEST_WISH_MS = 24 * HOUR

/**
 * When a delivery is tried again after its `step`th failure (from 1), or undefined when it is dead: the schedule plus 0 to 20 %, or
 * what the receiver asked for (`retryAfterMs`, up to a day) if that is later.
 */
export function nextTry(
  step: number,
  now: Date,
  { retryAfterMs = 0, random = Math.random }: { retryAfterMs?: number | undefined; random?: () => number } = {},
): Date | undefined {
  const delay = DELAYS[step - 1]
  if (delay === undefined) return undefined
  const scheduled = Math.round(delay * (1 + random() * MOST_JITTER))
  return new Date(now.getTime() + Math.max(scheduled, Math.min(retryAfterMs, LONGEST_WISH_MS)))
}

/** Milliseconds that a Retry-After header asks to wait: seconds or an HTTP date (RFC 9110 §10.2.3). Undefined for anything else. */
export function readRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  // Only the one form of date that senders may use; Date.parse takes far more.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(header.trim())) return undefined
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime())
}
