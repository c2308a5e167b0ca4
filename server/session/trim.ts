import type { Runtime } from '#server/runtime.ts'
import { listSurplus } from './listStore.ts'
import { endSessions, withIds } from './store.ts'
import { tellAllEnded } from './tell.ts'

const CHUNK = 2_000

/** Ends what a lowered limit leaves beyond it, oldest activity first, some thousands a transaction; returns how many. */
export async function trimSessions(runtime: Runtime, appId: number, most: number): Promise<number> {
  // The order is by what is written, so what is only noted in memory has to be written first.
  await runtime.activity.flush(true)
  const at = runtime.now()
  let ended = 0
  for (;;) {
    const surplus = await listSurplus(runtime.db, appId, most, at, CHUNK)
    if (surplus.length === 0) return ended
    const rows = await runtime.db.transaction(async (tx) => {
      const chunk = await endSessions(tx, [withIds(surplus)], { reason: 'limit_exceeded', at }, CHUNK)
      await tellAllEnded(runtime, tx, chunk, { reason: 'limit_exceeded', at })
      return chunk
    })
    ended += rows.length
    if (rows.length === 0) return ended
  }
}
