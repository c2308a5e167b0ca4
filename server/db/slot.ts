const SLOT_MS = 10_000
const MOST = 2 ** 31 - 1

/**
 * The slot (sessions.activeSlot) into which a moment falls: tens of seconds since the epoch. A number is milliseconds. Moments before the epoch, and after the
 * year 2650 that the column can tell, fall into the first and the last.
 */
export const slotOf = (at: Date | number): number => Math.min(Math.max(Math.floor(Number(at) / SLOT_MS), 0), MOST)
