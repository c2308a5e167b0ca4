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
  const text = header?.trim() ?? ''
  // However long a number is, it is a number: what is too long is cut to a day.
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER)
  const at = readHttpDate(text, now)
  return at === undefined ? undefined : Math.max(0, at - now.getTime())
}

const CLOCK = /\d{2}:\d{2}:\d{2}/.source
const forms = {
  imf: new RegExp(`^[A-Z][a-z]{2}, \\d{2} [A-Z][a-z]{2} \\d{4} ${CLOCK} GMT$`),
  rfc850: new RegExp(`^[A-Z][a-z]+day, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) (${CLOCK}) GMT$`),
  asctime: new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) (${CLOCK}) (\\d{4})$`),
}

/** The three forms of date that everybody has to take (RFC 9110 §5.6.7), and none of all the others that `Date.parse` takes. */
function readHttpDate(text: string, now: Date): number | undefined {
  let written = forms.imf.test(text) ? text : undefined
  const [, day, month, short, clock] = forms.rfc850.exec(text) ?? []
  if (short !== undefined) {
    // Two digits of a year that seem to lie more than 50 years ahead are of the past.
    const century = Math.floor(now.getUTCFullYear() / 100) * 100
    const year = century + Number(short)
    written = `${day} ${month} ${year > now.getUTCFullYear() + 50 ? year - 100 : year} ${clock} GMT`
  }
  const asctime = forms.asctime.exec(text)
  if (asctime) written = `${asctime[2]!.trim()} ${asctime[1]} ${asctime[4]} ${asctime[3]} GMT`
  const at = written === undefined ? NaN : Date.parse(written)
  return Number.isNaN(at) ? undefined : at
}
