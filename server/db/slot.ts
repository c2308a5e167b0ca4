const SLOT_MS = 10_000

/** The slot (sessions.activeSlot) into which a moment falls: tens of seconds since the epoch. A number is milliseconds. */
export const slotOf = (at: Date | number): number => Math.floor(Number(at) / SLOT_MS)
