import { mkdtempSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../server/app/change.ts'
import { createApiKey } from '../../server/app/apiKeys.ts'
import { loadConfig } from '../../server/config.ts'
import { createRuntime } from '../../server/createRuntime.ts'
import { migrate } from '../../server/db/migrate.ts'
import { createHttp } from '../../server/http.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { createOperator } from '../../server/operator/create.ts'
import { createOperatorToken } from '../../server/operator/tokens.ts'
import { serve } from '../../server/serve.ts'
import { announce } from '../target.ts'
import { botToken, DOMAIN, initDataOf } from '../people.ts'

/** Gatehouse as it ships, on its embedded database with synchronous=FULL, rate limits left to a gateway as for any load test. */
const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
const config = loadConfig({
  PORT: '0',
  GATEHOUSE_DATA_DIR: dataDir,
  DATABASE_URL: process.env['BENCH_DATABASE_URL'] ?? `file:${dataDir}/bench.db`,
  GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
  GATEHOUSE_RATE_LIMITS: 'off',
  GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1',
  LOG_LEVEL: 'warn',
})
await migrate(config.databaseUrl)
const runtime = createRuntime(config)
const telegram = { botToken }
const ton = { domains: [DOMAIN] }
const jwt = await createApp(runtime, cliActor, { name: 'JWT', slug: 'jwt', telegram, ton })
const opaque = await createApp(runtime, cliActor, {
  name: 'Opaque',
  slug: 'opaque',
  telegram,
  ton,
  sessionPolicy: { accessTokenFormat: 'opaque' },
})
const apiKeys = await runtime.db.transaction(async (tx) => {
  const make = (appId: number) => createApiKey(runtime, tx, { appId, name: 'bench', scopes: ['tokens:introspect'] })
  return { jwt: (await make(jwt.id)).key, opaque: (await make(opaque.id)).key }
})
const operator = await createOperator(runtime, cliActor, {
  email: 'bench@example.com',
  password: 'only for the bench',
  role: 'owner',
})
const { token } = await createOperatorToken(runtime, cliActor, { operatorId: operator.id, name: 'bench' })
const { server } = await serve(createHttp(runtime), config)
announce(server, { apiKeys, operatorToken: token, appId: jwt.publicId })
process.on(
  'message',
  (message: { fill?: number; figures?: number; revocations?: number; tries?: number; exit?: number }) => {
    // An orderly end, for a profile to be written.
    if (message.exit) process.exit()
    if (message.fill) void fill(message.fill)
    if (message.figures) void figures(message.figures)
    if (message.revocations) void revocations(message.revocations)
    if (message.tries) void tries(message.tries)
  },
)

/** Puts live sessions of as many users into the tables, past the public API, so that a million stand in a minute. */
async function fill(count: number): Promise<void> {
  const { fillSessions } = await import('../fill.ts')
  await fillSessions(runtime, jwt.id, count)
  process.send!({ filled: count })
}

/** Puts the roll-ups of a year into the table, of the two apps and eight that are no more. */
async function figures(signIns: number): Promise<void> {
  const { fillFigures } = await import('../fillFigures.ts')
  const apps = Array.from({ length: 10 }, (_, n) => jwt.id + n)
  process.send!({ rows: fillFigures(config.databaseUrl.replace(/^file:/, ''), apps, signIns) })
}

/** Runs the canary that many times, one after the other. */
async function revocations(times: number): Promise<void> {
  const { runCanary } = await import('../../server/stats/canary.ts')
  const took: number[] = []
  while (took.length < times) took.push((await runCanary(runtime))!)
  process.send!({ took })
}

/** Watches and counts so many sign-ins that do nothing else: microseconds of CPU for each, the writing down of it included. */
async function tries(count: number): Promise<void> {
  const [{ attempt }, { claimOf }] = await Promise.all([
    import('../../server/traffic/attempt.ts'),
    import('../../server/telegram/claim.ts'),
  ])
  const people = Array.from({ length: 20_000 }, (_, n) => {
    const initData = initDataOf(n)
    const proof = /hash=([0-9a-f]{64})/.exec(initData)![1]!
    return { initData, proof, login: { user: { id: runtime.vault.ids.seal('usr', n + 1) } } }
  })
  const from = { ip: '127.0.0.1', userAgent: 'autocannon' }
  const request = { headers: {} } as IncomingMessage
  const before = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    const { initData, proof, login } = people[n % people.length]!
    const tried = { app: jwt, method: 'telegram' as const, ...from, proof, claim: claimOf({ initData }), request }
    await attempt(runtime, tried, () => Promise.resolve(login))
    if (n % 500 === 0) await new Promise(setImmediate)
  }
  await Promise.all([runtime.traffic.flush(), runtime.figures.flush()])
  const { user, system } = process.cpuUsage(before)
  process.send!({ micros: (user + system) / count })
}
