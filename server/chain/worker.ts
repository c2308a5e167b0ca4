import { repeat, type Repeated } from '#server/repeat.ts'
import type { Runtime } from '#server/runtime.ts'
import { watchWallets } from './watch.ts'

const EVERY_MS = 5_000

/** Follows linked wallets for the apps that ask for it. */
export function startWatcher(runtime: Runtime): Repeated {
  return repeat(() => watchWallets(runtime).then(() => {}), {
    everyMs: EVERY_MS,
    onError: (error) => runtime.log.error({ err: error }, 'linked wallets could not be followed and will be again'),
  })
}
