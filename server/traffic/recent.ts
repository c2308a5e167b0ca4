const MINUTE_MS = 60_000

/** How often one thing happened in the last minute: this minute whole, the one before by the share of it that is not yet sixty seconds ago. */
export type Recent = { minute: number; running: number; before: number }

export const newRecent = (): Recent => ({ minute: 0, running: 0, before: 0 })

export function addRecent(recent: Recent, now: number): void {
  turn(recent, now)
  recent.running++
}

/** How often in the sixty seconds before `now`. */
export function recently(recent: Recent, now: number): number {
  turn(recent, now)
  return recent.running + recent.before * (1 - (now % MINUTE_MS) / MINUTE_MS)
}

function turn(recent: Recent, now: number): void {
  const minute = Math.floor(now / MINUTE_MS)
  if (minute === recent.minute) return
  recent.before = minute === recent.minute + 1 ? recent.running : 0
  recent.running = 0
  recent.minute = minute
}
