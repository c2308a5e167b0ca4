import type { RequestListener } from 'node:http'
import { startWatcher } from './chain/worker.ts'
import type { Config } from './config.ts'
import { closeRuntime, createRuntime } from './createRuntime.ts'
import { migrate } from './db/migrate.ts'
import { doubts } from './doubts.ts'
import { createHttp, type MoreRoutes } from './http.ts'
import { eraseAgain } from './identity/eraseAgain.ts'
import { assertDatabaseKept, assertKeyFits, assertKeyKept } from './keyFits.ts'
import { assertGeo } from './origin/geo.ts'
import { systemActor } from './operator/audit.ts'
import { setupLink } from './operator/setup.ts'
import type { Runtime } from './runtime.ts'
import { drain, serve } from './serve.ts'
import { startStats } from './stats/worker.ts'
import { startSweep } from './sweep.ts'

/** How long requests in flight may take to finish, and how long idle connections are kept for a request on its way. */
const PATIENCE_MS = 10_000
const FAREWELL_MS = 500

export type Gatehouse = {
  runtime: Runtime
  /** Where the console is, for people. */
  consoleUrl: string
  /** The one-time link with which the first operator is made, while there is none. */
  setupUrl: string | undefined
  /** Finishes what is in flight, writes what is only in memory, closes the database. */
  stop(): Promise<void>
}

/** Config → schema → runtime → HTTP → workers; `stop` takes it down in reverse. */
export async function startGatehouse(
  config: Config,
  hooks: Parameters<typeof createRuntime>[1] & { more?: MoreRoutes } = {},
): Promise<Gatehouse> {
  assertDatabaseKept(config)
  assertGeo(config.geoDatabase)
  await migrate(config.databaseUrl)
  await assertKeyKept(config)
  const runtime = createRuntime(config, hooks)
  try {
    await assertKeyFits(runtime)
    await eraseAgain(runtime, systemActor)
    // Port 0 means any. Which one it became is known only once the server listens, and nothing is answered before this turn is over.
    const http: { app?: RequestListener } = {}
    const { server, port } = await serve((request, response) => http.app!(request, response), config)
    const url = config.publicUrl === 'http://localhost:0' ? `http://localhost:${port}` : config.publicUrl
    runtime.config = { ...config, port, publicUrl: url }
    http.app = createHttp(runtime, hooks.more)
    const sweeper = startSweep(runtime)
    const stats = startStats(runtime)
    const watcher = startWatcher(runtime)
    await runtime.traffic.reload()
    runtime.outbox.start()
    runtime.mailer.start()
    const { publicUrl } = runtime.config
    if (publicUrl.startsWith('http:') && !/^http:\/\/(localhost|127\.|\[::1\])/.test(publicUrl))
      runtime.log.warn(`GATEHOUSE_PUBLIC_URL is ${publicUrl}: without https, tokens and passwords travel in the clear`)
    for (const doubt of doubts(config)) runtime.log.warn(doubt)
    if (config.allowNetworks.length > 0)
      runtime.log.info({ networks: config.allowNetworks }, 'calls out may reach networks that are not public')
    return {
      runtime,
      consoleUrl: `${publicUrl}/console`,
      setupUrl: await setupLink(runtime),
      async stop() {
        runtime.stopping = true
        // What is recorded while the last requests are answered waits in the outbox for the next start.
        await Promise.all([drain(server, PATIENCE_MS, FAREWELL_MS), runtime.outbox.stop()])
        await sweeper.stop()
        await stats.stop()
        await watcher.stop()
        await runtime.mailer.stop()
        await closeRuntime(runtime)
      },
    }
  } catch (error) {
    await runtime.db.close()
    throw error
  }
}

/**
 * Serves until SIGTERM or SIGINT, then stops in order and exits 0; a second signal exits 1 at once. What nobody caught is logged and ends
 * the process, because nobody knows what state it is in.
 */
export async function runGatehouse(
  config: Config,
  say: (started: Gatehouse) => void,
  hooks: Parameters<typeof startGatehouse>[1] = {},
): Promise<void> {
  let gatehouse = undefined as Gatehouse | undefined
  let signals = 0
  const stop = (signal: string) => {
    if (++signals > 1) process.exit(1)
    // Nothing was promised to anybody before it answers, and migrations are all or nothing.
    if (!gatehouse) process.exit(0)
    const { log } = gatehouse.runtime
    log.info(`${signal}: stopping`)
    gatehouse.stop().then(
      () => {
        log.info('stopped')
        exit(log, 0)
      },
      (error: unknown) => {
        log.fatal({ err: error }, 'stopping failed')
        exit(log, 1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const crash = (error: unknown) => {
    if (!gatehouse) {
      console.error(error)
      process.exit(1)
    }
    gatehouse.runtime.log.fatal({ err: error }, 'an error that nobody caught')
    exit(gatehouse.runtime.log, 1)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  gatehouse = await startGatehouse(config, hooks)
  say(gatehouse)
  gatehouse.runtime.log.info({ port: gatehouse.runtime.config.port }, 'listening')
}

/** Ends the process once the last lines are out, or a second later in any case. */
function exit(log: Runtime['log'], code: number): void {
  log.flush(() => process.exit(code))
  setTimeout(() => process.exit(code), 1_000)
}
