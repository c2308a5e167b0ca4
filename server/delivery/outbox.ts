import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '#server/db/database.ts'
import { countTry } from './count.ts'
import type { Runtime } from '#server/runtime.ts'
import { finish, type Tried } from './finish.ts'
import type { Attempt, Lane, OpenLane } from './lane.ts'
import {
  claimDeliveries,
  eventsOf,
  holdPending,
  isLaneSending,
  listDueLanes,
  releaseClaimed,
  type Claimed,
  type ClaimedEvent,
} from './store.ts'
import { hasOrphans, insertWorker, livingWorkers, removeWorker, renewWorker, reviveOrphans } from './workerStore.ts'

/** A worker that has not been heard of for this long has died. */
const LIFE_MS = 10_000
const BEAT_MS = 2_000
/** How often the database is asked what is due: retries, and what other processes recorded. */
const POLL_MS = 1_000
/** Lanes and deliveries that one transaction claims at the most. */
const MOST_LANES = 64
const MOST_CLAIMED = 512
const MOST_AHEAD = 1_024
const MOST_HELD = 2_000
/** A lane claims ahead what its receiver takes in this time: what is fast needs few transactions, and what is slow hoards nothing. */
const AHEAD_MS = 100
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
export type Outbox = {
  /** Something was recorded in a lane; it is sent once its transaction is committed. */
  wake(lane: number): void
  /** Something was recorded for a person: their open streams look. */
  tell(userId: number): void
  /** Calls `listener` whenever something is recorded for a person; returns how to stop that. */
  listen(userId: number, listener: () => void): () => void
  start(): void
  /** Sends everything that is due at this moment, retries of other processes that died included. */
  pass(): Promise<void>
  /** Finishes what is being sent, for 10 s at the most, and leaves the rest to others. */
  stop(): Promise<void>
}

type State = {
  id: number
  due: boolean
  wokenAt: number
  /** Not looked at before this (performance.now). */
  notBefore: number
  tokens: number
  refilledAt: number
  flying: number
  /** What of it was taken in AHEAD_MS of late; and since `pacedAt`. */
  pace: number
  taken: number
  pacedAt: number
  queue: { delivery: Claimed; event: ClaimedEvent; lane: Lane }[]
  /** What was waiting here and is given back in the transaction under way. */
  returned: State['queue']
  /** When something failed: before more is sent, it is read again whether it should be. 0 while all is well. */
  doubtedAt: number
  lane: Lane | undefined
}

export function createOutbox(runtime: Runtime, openLane: OpenLane): Outbox {
  // A wake comes from inside a transaction, and what it starts must not count as inside.
  const outside = AsyncLocalStorage.snapshot()
  const lanes = new Map<number, State>()
  const listeners = new Map<number, Set<() => void>>()
  let finished: Tried[] = []
  let failing = false
  let worker: number | undefined
  let beatAt = 0
  /** Who sends at this moment, ourselves included. */
  let living: number[] = []
  let turning = false
  let turnedAt = 0
  let closing = false
  let poller: NodeJS.Timeout | undefined
  let later: NodeJS.Timeout | undefined
  let writer: NodeJS.Timeout | undefined
  const idlers: (() => void)[] = []

  function stateOf(id: number): State {
    let state = lanes.get(id)
    if (!state) {
      state = {
        id,
        due: false,
        wokenAt: 0,
        notBefore: 0,
        tokens: Infinity,
        refilledAt: performance.now(),
        flying: 0,
        pace: 0,
        taken: 0,
        pacedAt: performance.now(),
        queue: [],
        returned: [],
        doubtedAt: 0,
        lane: undefined,
      }
      lanes.set(id, state)
    }
    return state
  }

  /** Places a lane has left for more, by its rate, its concurrency, and what already waits here. */
  function room(state: State, now: number): number {
    const { lane } = state
    if (!lane) return 1
    // One that has no place here may have one by now: it is read again.
    if (placesOf(lane) === 0 || lane.probing) return 1 - state.flying - state.queue.length
    refill(state, lane, now)
    return Math.min(mostOf(state, lane) - state.flying - state.queue.length, Math.floor(state.tokens))
  }

  /** How much a lane may have in hand, on its way or waiting here. */
  function mostOf(state: State, lane: Lane): number {
    const places = placesOf(lane)
    if (lane.ordered) return places
    return Math.max(2 * places, Math.min(state.pace, MOST_AHEAD))
  }

  /** How many of a lane's places are ours: processes share them, so that all together keep the endpoint's limit. */
  function placesOf({ id, concurrency: places, probing }: Lane): number {
    if (probing) return 1
    const rank = worker === undefined ? -1 : living.indexOf(worker)
    if (living.length < 2 || rank < 0) return places
    const share = Math.floor(places / living.length)
    return share + ((rank + Math.abs(id)) % living.length < places % living.length ? 1 : 0)
  }

  const peers = () => Math.max(1, living.length)

  /** What a lane should claim now: nothing while it has enough in hand, so that a transaction claims much at once. */
  function wants(state: State, now: number): number {
    if (closing || !state.due || state.notBefore > now) return 0
    const free = room(state, now)
    if (state.lane && state.queue.length > 0 && free < mostOf(state, state.lane) / 2) return 0
    return Math.max(0, free)
  }

  function measure(state: State, now: number): void {
    const elapsed = now - state.pacedAt
    if (elapsed < WRITE_MS) return
    state.pace = Math.round((state.taken / elapsed) * AHEAD_MS)
    state.taken = 0
    state.pacedAt = now
  }

  function refill(state: State, lane: Lane, now: number): void {
    const rate = lane.rate / peers()
    const more = ((now - state.refilledAt) / 1000) * rate
    state.tokens = Math.min(Math.max(1, rate), state.tokens + more)
    state.refilledAt = now
  }

  /** Lanes to claim for, each with how much; the one that waited longest comes first. */
  function pick(now: number): { state: State; want: number }[] {
    const picked = []
    let total = 0
    for (const state of lanes.values()) {
      const want = Math.min(wants(state, now), MOST_CLAIMED - total)
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
    const beat = worker === undefined || mustBeat()
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
    worker = outcome.worker
    living = outcome.living
    if (beat) beatAt = outcome.at
    for (const { state, want, lane, claimed } of outcome.claims) settle(state, { want, lane, claimed }, began)
    return true
  }

  async function work(tx: Transaction, results: Tried[], asked: { state: State; want: number }[], beat: boolean) {
    const now = runtime.now()
    const aliveUntil = new Date(now.getTime() + LIFE_MS)
    let me = worker
    if (me === undefined) me = await insertWorker(tx, aliveUntil)
    else if (beat && !(await renewWorker(tx, me, aliveUntil))) me = await insertWorker(tx, aliveUntil)
    const alive = await livingWorkers(tx, now)
    if (results.length > 0) await finish(tx, worker ?? me, results, now)
    const claims = []
    for (const { state, want } of asked) claims.push({ state, want, ...(await claim(tx, me, state, want, now)) })
    const found = await eventsOf(
      tx,
      claims.flatMap(({ claimed }) => claimed.map(({ eventId }) => eventId)),
    )
    return {
      worker: me,
      at: now.getTime(),
      living: alive,
      claims: claims.map(({ claimed, ...rest }) => ({
        ...rest,
        claimed: claimed.map((delivery) => ({ delivery, event: found.get(delivery.eventId)! })),
      })),
    }
  }

  async function claim(tx: Transaction, me: number, state: State, want: number, now: Date) {
    let lane = await openLane(tx, state.id, now)
    if (lane?.probing) {
      // Processes look one after the other, and the later one sees the probe of the first, or what it came to.
      await tx.lock(`probe ${state.id}`)
      lane = await openLane(tx, state.id, now)
      if (lane?.probing && (await isLaneSending(tx, state.id))) return { lane, claimed: [], more: false }
    }
    const resting = lane?.openUntil && lane.openUntil > now
    if (!lane?.open || resting) {
      state.returned.push(...state.queue.splice(0))
      await releaseClaimed(
        tx,
        me,
        state.returned.map(({ delivery }) => delivery.id),
      )
    }
    if (!lane?.open) {
      const held = await holdPending(tx, state.id, 'endpoint_off', MOST_HELD)
      return { lane: undefined, claimed: [], more: held === MOST_HELD }
    }
    if (resting) return { lane, claimed: [], more: false }
    if (want <= 0) return { lane, claimed: [], more: true }
    // It may be new, probe only since now, or be another process's.
    const free = placesOf(lane) - state.flying - state.queue.length
    const limit = state.lane && !lane.probing && placesOf(lane) > 0 ? want : Math.min(want, free)
    if (limit <= 0) return { lane, claimed: [], more: false }
    const claimed = await claimDeliveries(tx, { lane: state.id, worker: me, now, limit }, lane.ordered)
    return { lane, claimed, more: claimed.length === limit }
  }

  type Got = { want: number; lane: Lane | undefined; claimed: Omit<State['queue'][number], 'lane'>[]; more?: boolean }

  function settle(state: State, { want, lane, claimed, more }: Got, began: number): void {
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

  function pump(state: State): void {
    while (
      state.doubtedAt === 0 &&
      state.queue.length > 0 &&
      state.flying < Math.max(1, placesOf(state.queue[0]!.lane))
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
          if (mustWrite(now) || wants(state, now) > 0) kick()
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
        if (state.notBefore > now) waits.push(state.notBefore - now)
        else if (state.lane && state.tokens < 1) waits.push(((1 - state.tokens) * 1000 * peers()) / state.lane.rate)
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
    if (busy && worker !== undefined && mustBeat()) {
      const id = worker
      beatAt = now.getTime()
      const alive = await runtime.db.transaction((tx) => renewWorker(tx, id, new Date(now.getTime() + LIFE_MS)))
      if (!alive) worker = undefined
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
    tell(userId) {
      for (const listener of listeners.get(userId) ?? []) listener()
    },
    listen(userId, listener) {
      const own = listeners.get(userId) ?? new Set()
      listeners.set(userId, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0) listeners.delete(userId)
      }
    },
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
      if (worker !== undefined) {
        const id = worker
        await runtime.db.transaction((tx) => removeWorker(tx, id))
      }
    },
  }
}
