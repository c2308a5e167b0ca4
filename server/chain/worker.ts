import type { Runtime } from '#server/runtime.ts'
import { watchWallets } from './watch.ts'

const EVERY_MS = 5_000

/** Follows linked wallets for the apps that ask for it. `stop` waits for the round that is running. */
export function startWatcher(runtime: Runtime): { stop(): Promise<void> } {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout

  async function round(): Promise<void> {
    try {
      await watchWallets(runtime)
    } catch (error) {
      runtime.log.error({ err: error }, 'linked wallets could not be followed and will be again')
    }
    if (!stopped) schedule()
  }

  function schedule(): void {
    timer = setTimeout(() => (running = round()), EVERY_MS).unref()
  }

  schedule()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
