import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { createApiKey } from '../../server/app/apiKeys.ts'
import { findByKey } from '../../server/app/app.ts'
import { createApp } from '../../server/app/change.ts'
import { loadConfig } from '../../server/config.ts'
import { createRuntime } from '../../server/createRuntime.ts'
import { migrate } from '../../server/db/migrate.ts'
import { recordEvent } from '../../server/event/record.ts'
import { createHttp } from '../../server/http.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { serve } from '../../server/serve.ts'
import { changeEndpoint, createEndpoint } from '../../server/webhook/change.ts'
import { announce } from '../target.ts'

/** Gatehouse as it ships, with an app whose endpoints the bench names. */
const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
const databaseUrl = process.env['DATABASE_URL'] ?? `file:${dataDir}/bench.db`
const config = loadConfig({
  PORT: '0',
  GATEHOUSE_DATA_DIR: dataDir,
  DATABASE_URL: databaseUrl,
  GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
  GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32',
  GATEHOUSE_RATE_LIMITS: 'off',
  LOG_LEVEL: 'warn',
})
await migrate(config.databaseUrl)
const runtime = createRuntime(config)
const slug = `bench-${process.pid}`
const { id } = await createApp(runtime, cliActor, { name: 'Bench', slug })
const app = async () => (await findByKey(runtime, slug))!
const { key } = await runtime.db.transaction((tx) =>
  createApiKey(runtime, tx, { appId: id, name: 'bench', scopes: ['events:write'] }),
)
const { server } = await serve(createHttp(runtime), config)
announce(server, { key, slug })

type Asked = {
  endpoint?: { url: string; types: string[] }
  pause?: number
  fill?: { type: string; count: number }
  start?: boolean
  settle?: boolean
  memory?: boolean
}
process.on('message', (asked: Asked) => void answer(asked).then((said) => process.send!(said)))

async function answer(asked: Asked): Promise<Record<string, unknown>> {
  if (asked.endpoint) {
    const { row } = await createEndpoint(runtime, cliActor, await app(), {
      ...asked.endpoint,
      ratePerSecond: 10_000,
      concurrency: 128,
    })
    return { endpoint: row.id }
  }
  if (asked.pause) await changeEndpoint(runtime, cliActor, await app(), asked.pause, { state: 'paused' })
  if (asked.fill) await fill(asked.fill)
  if (asked.start) runtime.outbox.start()
  // What filling leaves for later would fall into some of the rounds and not into others.
  if (asked.settle)
    for (const work of ['vacuum analyze', 'checkpoint']) await (runtime.db.shared as Pool | undefined)?.query(work)
  return { cpu: process.cpuUsage() }
}

/** About a kilobyte of JSON, as notifications are. */
const content = {
  ...{ bip44: '1023', chainId: '1666600000', txnHash: `0x${'a'.repeat(64)}`, symbol: 'ONE', amount: '0.45976983' },
  ...{ walletAddress: `0x${'b'.repeat(40)}`, otherWallet: `0x${'c'.repeat(40)}`, to: 'Jack', from: 'Alex' },
  memo: 'x'.repeat(500),
}

async function fill({ type, count }: { type: string; count: number }): Promise<void> {
  const known = await app()
  for (let done = 0; done < count; done += 500) {
    await runtime.db.transaction(async (tx) => {
      for (let n = done; n < Math.min(done + 500, count); n++)
        await recordEvent(runtime, tx, { app: known, type, user: `u${n % 5_000}`, content, source: 'api' })
    })
  }
}
