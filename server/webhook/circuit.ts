const WINDOW_MS = 300_000
const LEAST_ATTEMPTS = 20
const MOST_FAILED = 0.8
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 900_000

/** Counts the attempts of the last minutes and says when it is better to leave a receiver alone for a while. */
export type Circuit = {
  /** Notes attempts; true when too many of them failed. */
  note(attempts: { at: Date; failed: boolean }[]): boolean
  reset(): void
}

export function createCircuit(): Circuit {
  let minutes = new Map<number, { all: number; failed: number }>()
  return {
    note(attempts) {
      let latest = 0
      for (const { at, failed } of attempts) {
        const minute = Math.floor(at.getTime() / 60_000)
        latest = Math.max(latest, minute)
        const tally = minutes.get(minute) ?? { all: 0, failed: 0 }
        tally.all++
        if (failed) tally.failed++
        minutes.set(minute, tally)
      }
      let [all, bad] = [0, 0]
      for (const [minute, tally] of minutes) {
        if (minute <= latest - WINDOW_MS / 60_000) minutes.delete(minute)
        else {
          all += tally.all
          bad += tally.failed
        }
      }
      return all >= LEAST_ATTEMPTS && bad / all >= MOST_FAILED
    },
    reset() {
      minutes = new Map()
    },
  }
}

/** Milliseconds that a circuit stays open the `opening`th time in a row (from 1): a minute, doubled up to a quarter of an hour. */
export const pauseOf = (opening: number): number => Math.min(FIRST_PAUSE_MS * 2 ** (opening - 1), LONGEST_PAUSE_MS)
