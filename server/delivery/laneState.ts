import type { Claimed, ClaimedEvent } from './store.ts'
import type { Lane } from './lane.ts'

const MOST_AHEAD = 1_024
/** A lane claims ahead what its receiver takes in this time: what is fast needs few transactions, and what is slow hoards nothing. */
const AHEAD_MS = 100
/** A pace is taken over this long at least. */
const PACE_MS = 20

/** Who sends at this moment, ourselves included once we are known. */
export type Crew = { me: number | undefined; living: readonly number[] }

/** What this process has in hand of a lane. */
export type LaneState = {
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
  returned: LaneState['queue']
  /** When something failed: before more is sent, it is read again whether it should be. 0 while all is well. */
  doubtedAt: number
  lane: Lane | undefined
}

export const newLaneState = (id: number): LaneState => ({
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
})

/** What a lane should claim now: nothing while it has enough in hand, so that a transaction claims much at once. */
export function wants(state: LaneState, crew: Crew, now: number): number {
  if (!state.due || state.notBefore > now) return 0
  const free = room(state, crew, now)
  if (state.lane && state.queue.length > 0 && free < mostOf(state, state.lane, crew) / 2) return 0
  return Math.max(0, free)
}

/** Places a lane has left for more, by its rate, its concurrency, and what already waits here. */
function room(state: LaneState, crew: Crew, now: number): number {
  const { lane } = state
  if (!lane) return 1
  // One that has no place here may have one by now: it is read again.
  if (placesOf(lane, crew) === 0 || lane.probing) return 1 - state.flying - state.queue.length
  refill(state, lane, crew, now)
  return Math.min(mostOf(state, lane, crew) - state.flying - state.queue.length, Math.floor(state.tokens))
}

/** How much a lane may have in hand, on its way or waiting here. */
function mostOf(state: LaneState, lane: Lane, crew: Crew): number {
  const places = placesOf(lane, crew)
  if (lane.ordered) return places
  return Math.max(2 * places, Math.min(state.pace, MOST_AHEAD))
}

/** How many of a lane's places are ours: processes share them, so that all together keep the endpoint's limit. */
export function placesOf({ id, concurrency: places, probing }: Lane, { me, living }: Crew): number {
  if (probing) return 1
  const rank = me === undefined ? -1 : living.indexOf(me)
  if (living.length < 2 || rank < 0) return places
  const share = Math.floor(places / living.length)
  return share + ((rank + Math.abs(id)) % living.length < places % living.length ? 1 : 0)
}

/** How much of a lane's rate is ours, a second. */
const rateOf = ({ rate }: Lane, { living }: Crew) => rate / Math.max(1, living.length)

function refill(state: LaneState, lane: Lane, crew: Crew, now: number): void {
  const rate = rateOf(lane, crew)
  const more = ((now - state.refilledAt) / 1000) * rate
  state.tokens = Math.min(Math.max(1, rate), state.tokens + more)
  state.refilledAt = now
}

/** Milliseconds until a lane's rate lets one more pass; undefined where it is not the rate that it waits for. */
export function waitOfRate({ lane, tokens }: LaneState, crew: Crew): number | undefined {
  return lane && tokens < 1 ? ((1 - tokens) * 1000) / rateOf(lane, crew) : undefined
}

/** Takes the pace of what was taken of late. */
export function measure(state: LaneState, now: number): void {
  const elapsed = now - state.pacedAt
  if (elapsed < PACE_MS) return
  state.pace = Math.round((state.taken / elapsed) * AHEAD_MS)
  state.taken = 0
  state.pacedAt = now
}
