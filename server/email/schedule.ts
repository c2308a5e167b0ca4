const MINUTE = 60_000

/** Milliseconds from one failed try to the next; after the sixth try a mail has failed. */
const DELAYS: readonly number[] = [1, 5, 15, 60, 240].map((minutes) => minutes * MINUTE)

/** When a mail is tried again after its `tries`th try, or undefined when it is not. */
export function nextTry(tries: number, now: Date): Date | undefined {
  const delay = DELAYS[tries - 1]
  return delay === undefined ? undefined : new Date(now.getTime() + delay)
}
