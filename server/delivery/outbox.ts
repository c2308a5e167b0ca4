import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { claimLane } from './claimLane.ts'
import { countTry } from './count.ts'
import { finish, type Tried } from './finish.ts'
import type { Attempt, Lane, OpenLane } from './lane.ts'
import { measure, newLaneState, placesOf, waitOfRate, wants, type Crew, type LaneState } from './laneState.ts'
import { createListeners, type Listeners } from './listeners.ts'
import { eventsOf, listDueLanes } from './store.ts'
import { hasOrphans, insertWorker, livingWorkers, removeWorker, renewWorker, reviveOrphans } from './workerStore.ts'

/** A worker that has not been heard of for this long has died. */
const LIFE_MS = 10_000
const BEAT_MS = 2_000
/** How often the database is asked what is due: retries, and what other processes recorded. */
const POLL_MS = 1_000
/** Lanes and deliveries that one transaction claims at the most. */
const MOST_LANES = 64
const MOST_CLAIMED = 512
/** What was taken is written after this long, or when there is so much of it: a commit costs about the same for one and for many. */
const WRITE_MS = 20
const MOST_FINISHED = 512
/** On PostgreSQL a wake comes before its commit: an empty lane is looked at again for this long. */
const EXPECT_MS = 100
const LOOK_AGAIN_MS = 5

/**
 * Sends what is owed. Deliveries wait in lanes; each lane has its own rate and its own places, and lanes take turns, so that none waits for
 * another. Results and claims of a moment share one transaction. What a process claims is its own while it says that it lives.
 */
export type Outbox = Listeners & {
  /** Something was recorded in a lane; it is sent once its transaction is committed. */
  wake(lane: number): void
  start(): void
  /** Sends everything that is due at this moment, retries of other processes that died included. */
  pass(): Promise<void>
  /** Finishes what is being sent, for 10 s at the most, and leaves the rest to others. */
  stop(): Promise<void>
}

export function createOutbox(runtime: Runtime, openLane: OpenLane): Outbox {
  // A wake comes from inside a transaction, and what it starts must not count as inside.
  const outside = AsyncLocalStorage.snapshot()
  const lanes = new Map<number, LaneState>()
  const listeners = createListeners()
  let finished: Tried[] = []
  let failing = false
  let crew: Crew = { me: undefined, living: [] }
  let beatAt = 0
  let turning = false
  let turnedAt = 0
  let closing = false
  let poller: NodeJS.Timeout | undefined
  let later: NodeJS.Timeout | undefined
  let writer: NodeJS.Timeout | undefined
  const idlers: (() => void)[] = []

  function stateOf(id: number): LaneState {
    let state = lanes.get(id)
    if (!state) lanes.set(id, (state = newLaneState(id)))
    return state
  }

  /** Lanes to claim for, each with how much; the one that waited longest comes first. */
  function pick(now: number): { state: LaneState; want: number }[] {
    const picked = []
    let total = 0
    for (const state of lanes.values()) {
      const want = Math.min(closing ? 0 : wants(state, crew, now), MOST_CLAIMED - total)
      if (want <= 0 && !(state.doubtedAt > 0 && state.queue.length > 0)) continue
      picked.push({ state, want })
      total += want
      if (picked.length >= MOST_LANES || total >= MOST_CLAIMED) break
    }
    for (const { state } of picked) {
      measure(state, now)
      lanes.delete(state.id)
      lanes.set(state.id, state)
    }
    return picked
  }

  /** Whether it is time to say that we live; also after the clock was set back. */
  const mustBeat = () => Math.abs(runtime.now().getTime() - beatAt) > BEAT_MS

  /** Whether what was tried should be written now. */
  const mustWrite = (now: number) =>
    finished.length > 0 && (closing || failing || finished.length >= MOST_FINISHED || now - turnedAt >= WRITE_MS)

  /** One transaction: what was tried is written, what is due is claimed. False when nothing is to be done now. */
  async function turn(): Promise<boolean> {
    const began = performance.now()
    const asked = pick(began)
    if (asked.length === 0 && !mustWrite(began)) return false
    const results = finished
    finished = []
    failing = false
    const beat = crew.me === undefined || mustBeat()
    let outcome
    try {
      outcome = await runtime.db.transaction((tx) => work(tx, results, asked, beat))
    } catch (error) {
      // What was tried must be written: it comes first when the database is back.
      finished = [...results, ...finished]
      for (const { state } of asked) state.queue.unshift(...state.returned.splice(0))
      throw error
    } finally {
      turnedAt = performance.now()
    }
    for (const { lane, attempt } of results) countTry(runtime, lane.appId, attempt.verdict)
    crew = outcome.crew
    if (beat) beatAt = outcome.at
    for (const { state, want, lane, claimed } of outcome.claims) settle(state, { want, lane, claimed }, began)
    return true
  }

  async function work(tx: Transaction, results: Tried[], asked: { state: LaneState; want: number }[], beat: boolean) {
    const now = runtime.now()
    const aliveUntil = new Date(now.getTime() + LIFE_MS)
    let { me } = crew
    if (me === undefined) me = await insertWorker(tx, aliveUntil)
    else if (beat && !(await renewWorker(tx, me, aliveUntil))) me = await insertWorker(tx, aliveUntil)
    const alive = await livingWorkers(tx, now)
    if (results.length > 0) await finish(tx, crew.me ?? me, results, now)
    const claims = []
    const all = { openLane, me, crew, now }
    for (const { state, want } of asked) claims.push({ state, want, ...(await claimLane(tx, all, state, want)) })
    const found = await eventsOf(
      tx,
      claims.flatMap(({ claimed }) => claimed.map(({ eventId }) => eventId)),
    )
    return {
      crew: { me, living: alive },
      at: now.getTime(),
      claims: claims.map(({ claimed, ...rest }) => ({
        ...rest,
        claimed: claimed.map((delivery) => ({ delivery, event: found.get(delivery.eventId)! })),
      })),
    }
  }

  type Got = {
    want: number
    lane: Lane | undefined
    claimed: Omit<LaneState['queue'][number], 'lane'>[]
    more?: boolean
  }

  function settle(state: LaneState, { want, lane, claimed, more }: Got, began: number): void {
    state.lane = lane
    state.returned = []
    if (state.doubtedAt < began) state.doubtedAt = 0
    for (const one of claimed) state.queue.push({ ...one, lane: lane! })
    state.tokens -= claimed.length
    // A lane that gave all it was asked for has more; one that was new was asked for one only.
    const full = more ?? claimed.length === want
    const expected = state.wokenAt > began - (runtime.db.shared ? EXPECT_MS : 0)
    state.due = full || expected
    state.notBefore = full || !expected || !runtime.db.shared ? 0 : performance.now() + LOOK_AGAIN_MS
    pump(state)
  }

  function pump(state: LaneState): void {
    while (
      state.doubtedAt === 0 &&
      state.queue.length > 0 &&
      state.flying < Math.max(1, placesOf(state.queue[0]!.lane, crew))
    ) {
      const { delivery, event, lane } = state.queue.shift()!
      state.flying++
      lane
        .send(delivery, event)
        .catch((error: unknown): Attempt => {
          runtime.log.error({ err: error, lane: lane.id }, 'a delivery failed on our side and will be tried again')
          return { at: runtime.now(), durationMs: 0, outcome: 'internal', verdict: { kind: 'again', afterMs: 60_000 } }
        })
        .then((attempt) => {
          state.flying--
          finished.push({ delivery, lane, attempt })
          // What fails is written at once, because it may open the circuit.
          const now = performance.now()
          if (attempt.verdict.kind === 'delivered') state.taken++
          else {
            failing = true
            state.doubtedAt = now
          }
          // A place is free: an ordered lane may have the next of the same person now.
          state.due ||= lane.ordered || lane.probing
          pump(state)
          if (mustWrite(now) || (!closing && wants(state, crew, now) > 0)) kick()
          else writer ??= setTimeout(kick, WRITE_MS - (now - turnedAt))
        })
        .catch((error: unknown) => runtime.log.error({ err: error }, 'a delivery was not accounted for'))
    }
  }

  function kick(): void {
    if (turning) return
    turning = true
    void run()
  }

  async function run(): Promise<void> {
    clearTimeout(writer)
    writer = undefined
    let pause = 0
    try {
      while (await turn());
    } catch (error) {
      runtime.log.error({ err: error }, 'deliveries could not be claimed or written, and will be in a moment')
      pause = 500
    }
    turning = false
    schedule(pause)
    if (isIdle()) for (const resolve of idlers.splice(0)) resolve()
  }

  /** Looks again when the first lane that waits for its rate, or for a commit, may go on. */
  function schedule(pause: number): void {
    clearTimeout(later)
    later = undefined
    const now = performance.now()
    const waits = pause > 0 ? [pause] : []
    if (finished.length > 0) waits.push(Math.max(pause, WRITE_MS - (now - turnedAt)))
    if (!closing)
      for (const state of lanes.values()) {
        if (!state.due) continue
        const wait = state.notBefore > now ? state.notBefore - now : waitOfRate(state, crew)
        if (wait !== undefined) waits.push(wait)
      }
    if (waits.length > 0) later = setTimeout(kick, Math.max(1, Math.min(...waits)))
  }

  function isIdle(): boolean {
    if (turning || finished.length > 0) return false
    return ![...lanes.values()].some((state) => state.flying > 0 || state.queue.length > 0 || (state.due && !closing))
  }

  async function poll(): Promise<void> {
    const now = runtime.now()
    if (await hasOrphans(runtime.db, now)) {
      const revived = await runtime.db.transaction((tx) => reviveOrphans(tx, now))
      runtime.log.warn({ revived }, 'a process died while it was sending; what it had not finished is sent again')
    }
    for (const lane of await listDueLanes(runtime.db, now)) stateOf(lane).due = true
    const busy = [...lanes.values()].some((state) => state.flying > 0 || state.queue.length > 0)
    const id = crew.me
    if (busy && id !== undefined && mustBeat()) {
      beatAt = now.getTime()
      const alive = await runtime.db.transaction((tx) => renewWorker(tx, id, new Date(now.getTime() + LIFE_MS)))
      if (!alive) crew = { ...crew, me: undefined }
    }
    kick()
  }

  function schedulePoll(): void {
    if (closing) return
    poller = setTimeout(() => {
      poll()
        .catch((error: unknown) => runtime.log.error({ err: error }, 'what is due could not be read'))
        .finally(schedulePoll)
    }, POLL_MS).unref()
  }

  const idle = () => (isIdle() ? Promise.resolve() : new Promise<void>((resolve) => idlers.push(resolve)))
  let started = false

  return {
    wake(lane) {
      if (!started) return
      const state = stateOf(lane)
      state.due = true
      state.wokenAt = performance.now()
      state.notBefore = 0
      outside(kick)
    },
    ...listeners,
    start() {
      started = true
      poll()
        .catch((error: unknown) => runtime.log.error({ err: error }, 'what is due could not be read'))
        .finally(schedulePoll)
    },
    async pass() {
      await poll()
      await idle()
    },
    async stop() {
      closing = true
      clearTimeout(poller)
      clearTimeout(later)
      for (const state of lanes.values()) state.queue = []
      kick()
      const patience = new Promise<void>((resolve) => setTimeout(resolve, 10_000).unref())
      await Promise.race([idle(), patience])
      const id = crew.me
      if (id !== undefined) {
        await runtime.db.transaction((tx) => removeWorker(tx, id))
      }
    },
  }
}
