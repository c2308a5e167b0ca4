import type { Transaction } from '#server/db/database.ts'
import type { Lane } from '#server/delivery/lane.ts'
import type { Runtime } from '#server/runtime.ts'

export async function openTelegramLane(
  _r: Runtime,
  _tx: Transaction,
  _id: number,
  _now: Date,
): Promise<Lane | undefined> {
  return undefined
}
