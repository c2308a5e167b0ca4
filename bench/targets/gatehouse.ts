import { mkdtempSync } from 'node:fs'
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
import { botToken, DOMAIN } from '../people.ts'

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
const counting = { traffic: runtime.traffic, figures: runtime.figures }
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
  (message: { fill?: number; figures?: number; revocations?: number; counting?: boolean; exit?: number }) => {
    // An orderly end, for a profile to be written.
    if (message.exit) process.exit()
    if (message.fill) void fill(message.fill)
    if (message.figures) void figures(message.figures)
    if (message.revocations) void revocations(message.revocations)
    if (message.counting !== undefined) count(message.counting)
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

/** Watches and counts sign-ins, as it ships, or lets them pass unseen: the difference is what it costs. */
function count(on: boolean): void {
  const unseen = { ...counting.traffic, admit: () => Promise.resolve(), note: () => {} }
  Object.assign(runtime, on ? counting : { traffic: unseen, figures: { ...counting.figures, count: () => {} } })
}
