import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../test/support/embeddedPostgres.ts'

/**
 * `node bench/postgres.ts webhooks.ts …`: runs another bench on a PostgreSQL server of its own, with the durability it has by default (fsync and
 * synchronous_commit on). It is gone afterwards.
 */
const [script = 'webhooks.ts', ...options] = process.argv.slice(2)
// Its vacuum looks about every few seconds and not once a minute, so that all that is measured meets as much of it.
const { url, stop } = await startPostgres(['max_connections=100', 'shared_buffers=512MB', 'autovacuum_naptime=3s'])
try {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...options], {
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: url },
  })
  process.exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)))
} finally {
  await stop()
}
