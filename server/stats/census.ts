import type { Runtime } from '#server/runtime.ts'
import { walkLive } from '#server/session/store.ts'

const CHUNK = 1_000

/** Live sessions by app, as of a moment: what a count of millions would take too long to answer at once. */
export type Census = { at: Date; live: Map<number, number> }

const taken = new WeakMap<Runtime, Census>()

export const lastCensus = (runtime: Runtime): Census | undefined => taken.get(runtime)

/** Counts live sessions a thousand at a time, with room for logins in between. */
export async function takeCensus(runtime: Runtime): Promise<Census> {
  const now = runtime.now()
  const live = new Map<number, number>()
  for (let after = 0; ;) {
    const rows = await walkLive(runtime.db, { after, limit: CHUNK })
    for (const { appId, expiresAt } of rows) if (expiresAt > now) live.set(appId, (live.get(appId) ?? 0) + 1)
    if (rows.length < CHUNK || runtime.stopping) break
    after = rows.at(-1)!.id
    await new Promise((resolve) => setImmediate(resolve))
  }
  const census = { at: now, live }
  taken.set(runtime, census)
  return census
}
