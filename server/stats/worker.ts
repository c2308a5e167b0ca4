import { repeat, type Repeated } from '#server/repeat.ts'
import type { Runtime } from '#server/runtime.ts'
import { runCanary } from './canary.ts'
import { takeCensus } from './census.ts'

const EVERY_MS = 60_000
const FIRST_MS = 2_000

/** Each minute: revokes a session of nobody and takes the time, and counts the live ones. */
export function startStats(runtime: Runtime): Repeated {
  const onError = (error: unknown) =>
    runtime.log.error({ err: error }, 'a round of figures failed and will be tried again')
  const round = async () => {
    // One that fails does not keep the other from its work.
    for (const work of [runCanary, takeCensus]) await work(runtime).catch(onError)
  }
  return repeat(round, { everyMs: EVERY_MS, firstMs: FIRST_MS, onError })
}
