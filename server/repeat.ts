/** Work that is done again and again; `stop` waits for the round that is running. */
export type Repeated = { stop(): Promise<void> }

/**
 * Does `work` every `everyMs` milliseconds after it was last done, first after `firstMs`. A round that fails is told to `onError`, and the next one comes all
 * the same. It does not keep the process alive.
 */
export function repeat(
  work: () => Promise<void>,
  { everyMs, firstMs = everyMs, onError }: { everyMs: number; firstMs?: number; onError: (error: unknown) => void },
): Repeated {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout

  async function round(): Promise<void> {
    try {
      await work()
    } catch (error) {
      onError(error)
    }
    if (!stopped) schedule(everyMs)
  }

  function schedule(ms: number): void {
    timer = setTimeout(() => (running = round()), ms).unref()
  }

  schedule(firstMs)
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
