import type { ServerResponse } from 'node:http'
import type { Runtime } from '#server/runtime.ts'

const running = new WeakMap<Runtime, Set<Promise<void>>>()

/** Does `work` once an answer is out, so that its time tells nothing of the work. What must not be lost is a row as well, and swept up. */
export function afterAnswer(runtime: Runtime, response: ServerResponse, work: () => Promise<void>): void {
  let all = running.get(runtime)
  if (!all) running.set(runtime, (all = new Set<Promise<void>>()))
  const out = new Promise<void>((resolve) => {
    // Whoever hung up before the answer is not told of again.
    if (response.closed) resolve()
    else response.once('close', resolve)
  })
  const done: Promise<void> = out
    .then(work)
    .catch((error: unknown) => runtime.log.error({ err: error }, 'what was to follow an answer failed'))
    .finally(() => all.delete(done))
  all.add(done)
}

/** Waits for what follows the answers that were given so far. */
export async function answersSettled(runtime: Runtime): Promise<void> {
  const all = running.get(runtime)
  if (all) await Promise.all(all)
}
