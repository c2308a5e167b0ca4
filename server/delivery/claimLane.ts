import type { Transaction } from '#server/db/database.ts'
import type { Lane, OpenLane } from './lane.ts'
import { placesOf, type Crew, type LaneState } from './laneState.ts'
import { claimDeliveries, holdPending, isLaneSending, releaseClaimed, type Claimed } from './store.ts'

const MOST_HELD = 2_000

/** What a transaction found of a lane: `more` where something is left that could be claimed. */
export type Claim = { lane: Lane | undefined; claimed: Claimed[]; more: boolean }

/**
 * Claims for a lane in the caller's transaction, at most `want`. What a lane that rests or is switched off has in hand is given back; of one that may only be
 * probed one is claimed, and by one process.
 * @param me whose the deliveries will be
 * @param crew how the lane's places were shared when the transaction began
 */
export async function claimLane(
  tx: Transaction,
  { openLane, me, crew, now }: { openLane: OpenLane; me: number; crew: Crew; now: Date },
  state: LaneState,
  want: number,
): Promise<Claim> {
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
  const free = placesOf(lane, crew) - state.flying - state.queue.length
  const limit = state.lane && !lane.probing && placesOf(lane, crew) > 0 ? want : Math.min(want, free)
  if (limit <= 0) return { lane, claimed: [], more: false }
  const claimed = await claimDeliveries(tx, { lane: state.id, worker: me, now, limit }, lane.ordered)
  return { lane, claimed, more: claimed.length === limit }
}
