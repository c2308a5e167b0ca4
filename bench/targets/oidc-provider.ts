import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Provider, type Adapter, type AdapterPayload } from 'oidc-provider'
import { announce } from '../target.ts'

/** The yardstick for introspection: oidc-provider with opaque access tokens in a SQLite file in WAL, through prepared statements. */
const database = new Database(join(mkdtempSync(join(tmpdir(), 'oidc-provider-bench-')), 'bench.db'))
database.pragma('journal_mode = wal')
database.exec(`create table artifacts (
  model text not null, id text not null, payload text not null, grant_id text, uid text, user_code text, expires_at integer,
  primary key (model, id)
) without rowid`)

type Row = { payload: string; expires_at: number | null }
type Key = [model: string, value: string]
const select = 'select payload, expires_at from artifacts where model = ? and'
const statements = {
  find: database.prepare<Key, Row>(`${select} id = ?`),
  findByUid: database.prepare<Key, Row>(`${select} uid = ?`),
  findByUserCode: database.prepare<Key, Row>(`${select} user_code = ?`),
  upsert: database.prepare('insert or replace into artifacts values (?, ?, ?, ?, ?, ?, ?)'),
  consume: database.prepare(
    `update artifacts set payload = json_set(payload, '$.consumed', unixepoch()) where model = ? and id = ?`,
  ),
  destroy: database.prepare('delete from artifacts where model = ? and id = ?'),
  revoke: database.prepare('delete from artifacts where grant_id = ?'),
}

function payloadOf(row: Row | undefined): AdapterPayload | undefined {
  if (!row || (row.expires_at !== null && row.expires_at * 1000 <= Date.now())) return undefined
  return JSON.parse(row.payload) as AdapterPayload
}

const storeOf = (model: string): Adapter => ({
  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn ? Math.floor(Date.now() / 1000) + expiresIn : null
    const { grantId = null, uid = null, userCode = null } = payload
    statements.upsert.run(model, id, JSON.stringify(payload), grantId, uid, userCode, expiresAt)
  },
  find: async (id) => payloadOf(statements.find.get(model, id)),
  findByUid: async (uid) => payloadOf(statements.findByUid.get(model, uid)),
  findByUserCode: async (code) => payloadOf(statements.findByUserCode.get(model, code)),
  consume: async (id) => void statements.consume.run(model, id),
  destroy: async (id) => void statements.destroy.run(model, id),
  revokeByGrantId: async (grantId) => void statements.revoke.run(grantId),
})

const secret = randomBytes(32).toString('base64url')
const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
const provider = new Provider('http://localhost:3000', {
  adapter: storeOf,
  clients: [
    {
      client_id: 'bench',
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  jwks: { keys: [{ ...signingKey, kid: 'bench', use: 'sig' }] as never },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
  },
  ttl: { ClientCredentials: 86_400 },
})

const client = await provider.Client.find('bench')
const token = await new provider.ClientCredentials({ client: client! }).save()
const authorization = `Basic ${Buffer.from(`bench:${secret}`).toString('base64')}`
const server = createServer(provider.callback())
server.listen(0, '127.0.0.1', () => announce(server, { token, authorization }))
