import type { Runtime } from '#server/runtime.ts'
import { runCanary } from './canary.ts'
import { takeCensus } from './census.ts'

const EVERY_MS = 60_000
const FIRST_MS = 2_000

/** Each minute: revokes a session of nobody and takes the time, and counts the live ones. `stop` waits for the round that is running. */
export function startStats(runtime: Runtime): { stop(): Promise<void> } {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout

  async function round(): Promise<void> {
    for (const work of [runCanary, takeCensus]) {
      await work(runtime).catch((error: unknown) => {
        runtime.log.error({ err: error }, `${work.name} failed and will be tried again`)
      })
    }
    if (!stopped) schedule(EVERY_MS)
  }

  function schedule(ms: number): void {
    timer = setTimeout(() => (running = round()), ms).unref()
  }

  schedule(FIRST_MS)
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
