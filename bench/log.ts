import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findByKey } from '../server/app/app.ts'
import { createApp } from '../server/app/change.ts'
import { loadConfig } from '../server/config.ts'
import { createRuntime } from '../server/createRuntime.ts'
import { migrate } from '../server/db/migrate.ts'
import { createHttp } from '../server/http.ts'
import { cliActor } from '../server/operator/audit.ts'
import { createOperator } from '../server/operator/create.ts'
import { createOperatorToken } from '../server/operator/tokens.ts'
import { serve } from '../server/serve.ts'
import { createEndpoint } from '../server/webhook/change.ts'
import { listEndpoints } from '../server/webhook/store.ts'
import { fillLog, type Place } from './fillLog.ts'

/**
 * `node bench/log.ts`: the page of notifications at a million deliveries, by each filter and by combinations that match few or nothing, and the count
 * beside it; the median of nine, over HTTP. `--deliveries=100000` for a look, `--folder=PATH` to keep what was filled for the next run;
 * `node bench/postgres.ts log.ts` on PostgreSQL.
 */
const option = (name: string) => process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3)
const wanted = Number(option('deliveries') ?? 1_000_000)
const only = option('only')
const MOST_MS = 50
const ROUNDS = 9
const APPS = 20

const dataDir = option('folder') ?? mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
const config = loadConfig({
  PORT: '0',
  GATEHOUSE_DATA_DIR: dataDir,
  DATABASE_URL: process.env['DATABASE_URL'] ?? `file:${dataDir}/bench.db`,
  GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
  GATEHOUSE_RATE_LIMITS: 'off',
  LOG_LEVEL: 'warn',
})
await migrate(config.databaseUrl)
const runtime = createRuntime(config)
const email = `bench-${Date.now()}@example.com`
const operator = await createOperator(runtime, cliActor, { email, password: 'only for the bench', role: 'owner' })
const { token } = await createOperatorToken(runtime, cliActor, { operatorId: operator.id, name: 'bench' })
const places: (Place & { app: string; endpoint: string })[] = []
let filled = false
for (let n = 0; n < APPS; n++) {
  const slug = `log-${n}`
  filled = (await findByKey(runtime, slug)) !== undefined
  if (!filled) await createApp(runtime, cliActor, { name: `Log ${n}`, slug })
  const app = (await findByKey(runtime, slug))!
  if (!filled) await createEndpoint(runtime, cliActor, app, { url: `https://example.com/${n}` })
  const [endpoint] = await listEndpoints(runtime.db, app.id)
  const { ids } = runtime.vault
  places.push({
    appId: app.id,
    endpointId: endpoint!.id,
    app: ids.seal('app', app.id),
    endpoint: ids.seal('whe', endpoint!.id),
  })
}
const began = performance.now()
if (!filled) await fillLog(runtime, places, wanted)
console.log(`${wanted} deliveries put in place in ${Math.round((performance.now() - began) / 1000)} s`)
const { server } = await serve(createHttp(runtime), config)
const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/api/v1/notifications`

const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString()
const [large, small] = [places[0]!, places.at(-1)!]
const none = places[1]!
const someEvent = runtime.vault.ids.seal('evt', 4_321)
const hour = `from=${day(10)}&to=${day(10 - 1 / 24)}`
const filters: Record<string, string> = {
  newest: '',
  'an app': `appId=${large.app}`,
  'a small app': `appId=${small.app}`,
  'a type': 'type=txn.swap',
  'a type nobody sent': 'type=session.ended',
  'a user': 'user=u13',
  'a user nobody knows': 'user=nobody',
  'a user, dead': 'user=u13&status=dead',
  'search: a user': 'q=u13',
  'search: an event': `q=${someEvent}`,
  'search: nothing': 'q=nothing-of-this-name',
  ...Object.fromEntries(
    ['webhook', 'inbox', 'telegram', 'email'].map((channel) => [`channel ${channel}`, `channel=${channel}`]),
  ),
  ...Object.fromEntries(
    ['delivered', 'pending', 'retrying', 'sending', 'dead', 'held', 'skipped'].map((status) => [
      status,
      `status=${status}`,
    ]),
  ),
  'an endpoint': `endpointId=${large.endpoint}`,
  'an endpoint, dead': `endpointId=${large.endpoint}&status=dead`,
  'a small endpoint, held': `endpointId=${small.endpoint}&status=held`,
  'since an hour': `from=${day(1 / 24)}`,
  'until 29 days ago': `to=${day(29)}`,
  'one hour ten days ago': hour,
  'before anything': `to=${day(60)}`,
  'in the future': `from=${day(-1)}`,
  'an app, a type': `appId=${large.app}&type=txn.swap`,
  'a small app, a type': `appId=${small.app}&type=txn.swap`,
  'a small app, delivered': `appId=${small.app}&status=delivered`,
  'a small app, dead': `appId=${small.app}&status=dead`,
  'a small app, skipped': `appId=${small.app}&status=skipped`,
  'a small app, over the bot': `appId=${small.app}&channel=telegram`,
  'a small app, by e-mail': `appId=${small.app}&channel=email`,
  'an app, over the bot, skipped': `appId=${none.app}&channel=telegram&status=skipped`,
  'a type, dead': 'type=txn.swap&status=dead',
  'a type, held, one hour': `type=txn.swap&status=held&${hour}`,
  'a small app, a type, dead': `appId=${small.app}&type=kyc.failed&status=dead`,
  'the inbox, dead': 'channel=inbox&status=dead',
  'the webhook, skipped': 'channel=webhook&status=skipped',
  'an app, the inbox, delivered': `appId=${large.app}&channel=inbox&status=delivered`,
  'a small app, the inbox, delivered, a type': `appId=${small.app}&channel=inbox&status=delivered&type=kyc.failed`,
  "another app's endpoint": `appId=${small.app}&endpointId=${large.endpoint}`,
  'dead, one hour': `status=dead&${hour}`,
  'over the bot, one hour, an app': `channel=telegram&appId=${large.app}&${hour}`,
  'delivered, one hour, a small app': `status=delivered&appId=${small.app}&${hour}`,
}

let missed = 0
for (const [name, query] of Object.entries(filters)) {
  if (only !== undefined && !name.includes(only)) continue
  const page = await measure(`${url}?limit=50&${query}`)
  const count = await measure(`${url}/count?${query}`)
  const ok = page.middle < MOST_MS
  if (!ok) missed++
  const { items, nextCursor } = page.body as { items: unknown[]; nextCursor: string | null }
  const said = count.body as { count: number; capped: boolean }
  console.log(
    `${ok ? '✓' : '✗'} ${name.padEnd(44)} ${page.middle.toFixed(1).padStart(7)} ms (${page.fastest.toFixed(0)} to ${page.slowest.toFixed(0)}), ${items.length} rows${nextCursor ? ' and more' : ''}; count ${count.middle.toFixed(1)} ms: ${said.count}${said.capped ? '+' : ''}`,
  )
}
console.log(`${missed} filters take ${MOST_MS} ms or more`)
process.exit(missed > 0 ? 1 : 0)

async function measure(address: string) {
  const times: number[] = []
  let body: unknown
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
    body = await response.json()
    times.push(performance.now() - began)
    if (!response.ok) throw new Error(`${address}: ${JSON.stringify(body)}`)
  }
  times.sort((a, b) => a - b)
  return { fastest: times[0]!, middle: times[Math.floor(times.length / 2)]!, slowest: times.at(-1)!, body }
}
