import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Failure, run } from '../cli/context.ts'
import { loadQuickly } from '../cli/loadQuickly.ts'
import { loadConfig, type Config } from '../config.ts'
import type { Gatehouse } from '../main.ts'
import type { Runtime } from '../runtime.ts'
import type { Credential } from './apps.ts'
import { COUNTRY_HEADER } from './devices.ts'
import { fundWallets, serveChain } from './chain.ts'
import type { LocalChain } from './localChain.ts'
import { makeFolder } from '../folder.ts'

const EMAIL = 'demo@example.com'

/**
 * `npm run demo`: Gatehouse in a data directory of its own, with sample apps and people who sign in over its public API with real keys, until it is stopped.
 */
export async function runDemo(env: NodeJS.ProcessEnv): Promise<void> {
  const local = env['TON_API_URL'] ? undefined : await serveChain(() => new Date())
  const config = demoConfig({ ...env, ...(local && { TON_API_URL: local.url }) })
  // The tables take their dialect from it (db/dialect.ts), so it must be known before they are loaded.
  process.env['DATABASE_URL'] = config.databaseUrl
  const [{ runGatehouse }, { demoRoutes }] = await Promise.all([import('../main.ts'), import('./routes.ts')])
  const start = (gatehouse: Gatehouse) => {
    fill(gatehouse.runtime, gatehouse.consoleUrl, local?.chain).catch(async (error: unknown) => {
      const { message, cause } = error as Error
      // fetch says only that it failed; why stands in the cause, such as a port that it refuses.
      process.stderr.write(`gatehouse: ${message}${cause instanceof Error ? `: ${cause.message}` : ''}\n`)
      await gatehouse.stop()
      process.exit(1)
    })
  }
  await runGatehouse(config, start, { more: demoRoutes })
}

/** Everything may be set as for a start, but what is not set is the demo's own. */
export function demoConfig(env: NodeJS.ProcessEnv): Config {
  return loadConfig({
    ...env,
    GATEHOUSE_DATA_DIR: env['GATEHOUSE_DATA_DIR'] || './data/demo',
    // Visitors say where they come from as if a proxy of ours had noted it.
    GATEHOUSE_TRUST_PROXY: env['GATEHOUSE_TRUST_PROXY'] || '127.0.0.1/32,::1/128',
    GATEHOUSE_COUNTRY_HEADER: env['GATEHOUSE_COUNTRY_HEADER'] || COUNTRY_HEADER,
    // The apps' servers take their webhooks on this machine.
    GATEHOUSE_ALLOW_NETWORKS: env['GATEHOUSE_ALLOW_NETWORKS'] || '127.0.0.1/32',
    LOG_LEVEL: env['LOG_LEVEL'] || 'warn',
  })
}

async function fill(runtime: Runtime, consoleUrl: string, chain: LocalChain | undefined): Promise<void> {
  const password = await makeOperator(runtime)
  process.stdout.write(`The demo's console: ${consoleUrl}\nSign in as ${EMAIL} with the password ${password}\n`)
  process.stdout.write(`The sample Mini App: ${runtime.config.publicUrl}/demo\n`)
  const { burst, createWorld, live } = await import('./life.ts')
  const url = localUrl(runtime.config)
  const stopped = () => runtime.stopping
  const operator = await signInOperator(url, password)
  const world = { ...(await createWorld({ url, operator, now: runtime.now })), chain }
  process.stdout.write('People and wallets are signing in; Ctrl+C ends the demo\n')
  await Promise.all([burst(world, stopped), chain && fundWallets(chain, world.random, stopped)])
  if (stopped()) return
  const { tally } = world.client
  runtime.log[tally.unexpected.length > 0 ? 'warn' : 'debug'](tally, 'everybody has arrived')
  await live(world, stopped)
}

/** Where this process reaches itself, past whatever stands in front of the public URL. */
function localUrl({ host, port }: Config): string {
  const name = /^(0\.0\.0\.0|::)$/.test(host) ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/**
 * The demo's owner, with a password that is made once and kept beside the database. A database with operators and no such password is
 * not the demo's, and nobody's data is mixed with invented people.
 */
async function makeOperator(runtime: Runtime): Promise<string> {
  const { needsSetup } = await import('../operator/setup.ts')
  const { dataDir } = runtime.config
  const file = `${dataDir}/demo-password`
  const isNew = await needsSetup(runtime)
  if (!isNew && !existsSync(file)) throw new Failure('This database is in use by something else than the demo')
  if (!existsSync(file)) {
    makeFolder(dataDir)
    writeFileSync(file, randomBytes(12).toString('base64url'), { mode: 0o600 })
  }
  const password = readFileSync(file, 'utf8').trim()
  if (isNew) {
    const { createOperator } = await import('../operator/create.ts')
    const { cliActor } = await import('../operator/audit.ts')
    await createOperator(runtime, cliActor, { email: EMAIL, password, role: 'owner', name: 'Demo' })
  }
  return password
}

/** As the console does it: the cookie is what later calls are made with. */
async function signInOperator(url: string, password: string): Promise<Credential> {
  const response = await fetch(`${url}/trpc/auth.signIn`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: EMAIL, password }),
  })
  if (!response.ok) {
    throw new Error(
      `The operator ${EMAIL} cannot sign in (${response.status}); remove the demo's data directory to begin anew`,
    )
  }
  return { cookie: response.headers.getSetCookie()[0]!.split(';')[0]! }
}

if (import.meta.main) {
  loadQuickly()
  await run({}, () => runDemo(process.env))
}
