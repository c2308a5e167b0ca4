import { AsyncResource } from 'node:async_hooks'
import type { Database } from '#server/db/database.ts'
import { addFigures, type Figure } from './store.ts'

const EVERY_MS = 1_000
/** Minutes a step: a minute, an hour, a day. */
export const STEPS = [1, 60, 1440] as const
/** What cannot be written for so long that it would fill the memory is lost. */
const MOST_PENDING = 200_000

type Sum = { n: number }
/** What was counted in one minute, by app and name; each figure knows the sum over all apps. */
type Counted = Map<number, Map<string, Sum & { total: Sum }>>

/** Counts what happens, in memory, and writes it once a second: a sign-in costs two additions. */
export type Figures = {
  /** @param appId 0 for what belongs to no app @param name such as `signin.telegram.ok` */
  count(appId: number, name: string, n?: number): void
  /** What this process has counted since it started, over all apps. */
  totals(): ReadonlyMap<string, { readonly n: number }>
  flush(): Promise<void>
  close(): Promise<void>
}

export function createFigures(db: Database, now: () => Date, onError: (error: unknown) => void): Figures {
  let minute = 0
  let current: Counted = new Map()
  const totals = new Map<string, Sum>()
  const past: { minute: number; counts: Counted }[] = []
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let flushing: Promise<void> = Promise.resolve()

  // What is counted inside a transaction must not be written as a part of it: the timer starts where the counting began to be.
  const schedule = AsyncResource.bind((): void => {
    if (closed) return
    timer ??= setTimeout(() => {
      timer = undefined
      figures.flush().catch(onError)
    }, EVERY_MS).unref()
  })

  function turn(at: number): void {
    if (current.size > 0) past.push({ minute, counts: current })
    current = new Map()
    minute = at
  }

  async function write(): Promise<void> {
    turn(minute)
    const taken = past.splice(0)
    if (taken.length === 0) return
    try {
      await db.transaction((tx) => addFigures(tx, rollUp(taken)))
    } catch (error) {
      if (past.length + taken.length < MOST_PENDING) past.unshift(...taken)
      schedule()
      throw error
    }
  }

  const figures: Figures = {
    count(appId, name, n = 1) {
      const at = Math.floor(now().getTime() / 60_000)
      if (at !== minute) turn(at)
      let ofApp = current.get(appId)
      if (!ofApp) {
        current.set(appId, (ofApp = new Map()))
        schedule()
      }
      let figure = ofApp.get(name)
      if (!figure) {
        const total = totals.get(name) ?? { n: 0 }
        totals.set(name, total)
        ofApp.set(name, (figure = { n: 0, total }))
      }
      figure.n += n
      figure.total.n += n
    },
    totals: () => totals,
    flush() {
      flushing = flushing.then(write, write)
      return flushing
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await figures.flush().catch(onError)
    },
  }
  return figures
}

/** Counts of some minutes as rows of all steps, in the order of their key. */
function rollUp(taken: { minute: number; counts: Counted }[]): Figure[] {
  const sums = new Map<string, Figure>()
  for (const { minute, counts } of taken) {
    for (const [appId, names] of counts) {
      for (const [name, { n }] of names) {
        for (const step of STEPS) {
          const at = Math.floor(minute / step)
          const key = `${step} ${at} ${appId} ${name}`
          const known = sums.get(key)
          if (known) known.n += n
          else sums.set(key, { step, at, appId, name, n })
        }
      }
    }
  }
  return [...sums.values()].sort(
    (a, b) => a.step - b.step || a.at - b.at || a.appId - b.appId || (a.name < b.name ? -1 : 1),
  )
}
