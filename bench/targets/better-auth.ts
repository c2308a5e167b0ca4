import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import Database from 'better-sqlite3'
import express from 'express'
import { announce } from '../target.ts'

/**
 * The yardstick for a session check: better-auth on a SQLite file in WAL, with its cookie cache off as by default, because a cached session is not checked against
 * what an operator has revoked meanwhile. Rate limits are off, as for every target.
 */
const database = new Database(join(mkdtempSync(join(tmpdir(), 'better-auth-bench-')), 'bench.db'))
database.pragma('journal_mode = wal')
const options = {
  database,
  baseURL: 'http://localhost:3000',
  secret: randomBytes(32).toString('base64'),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
}
await (await getMigrations(options)).runMigrations()
const auth = betterAuth(options)

const app = express()
app.all('/api/auth/{*path}', toNodeHandler(auth))

const { headers } = await auth.api.signUpEmail({
  body: { name: 'Bench', email: 'bench@example.com', password: 'only for the bench' },
  returnHeaders: true,
})
const cookie = headers
  .getSetCookie()
  .map((line) => line.split(';')[0])
  .join('; ')
const server = app.listen(0, '127.0.0.1', () => announce(server, { cookie }))
