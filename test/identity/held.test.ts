import { eq, getTableColumns, getTableName, is, Table } from 'drizzle-orm'
import { expect, test } from 'vitest'
import * as schema from '../../server/db/schema.ts'
import { recordEvent } from '../../server/event/record.ts'
import { queueMail } from '../support/mail.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

/** Where the export tells of what a table holds of a person; or why it does not, in a sentence. */
const held: Record<string, { in: string } | { not: string }> = {
  users: { in: 'user' },
  identities: { in: 'identities' },
  profiles: { in: 'profiles' },
  sessions: { in: 'sessions' },
  session_events: { in: 'sessions' },
  signatures: { in: 'signature' },
  signature_codes: { in: 'underWay' },
  link_codes: { in: 'underWay' },
  events: { in: 'notifications' },
  notification_preferences: { in: 'notificationPreferences' },
  findings: { in: 'findings' },
  blocks: { in: 'blocks' },
  emails: { in: 'mails' },
  email_suppressions: { in: 'mailSuppressed' },
  watched_wallets: { in: 'wallets' },
  audit_log: { in: 'audit' },
  personal_keys: { not: 'The key that all of this was read with; it tells nothing' },
  erased_users: { not: 'Nobody who could ask is in it' },
  erased_sessions: { not: 'Nobody who could ask is in it' },
  access_tokens: { not: 'Hashes of tokens of the sessions that are told' },
  seen_transactions: { not: 'Hashes of what the chain shows to everybody' },
  deliveries: { not: 'How the notifications that are told were sent on' },
  attempts: { not: 'What the servers of the app answered' },
  email_attempts: { not: 'What mail servers answered; the status of each mail is told' },
  lane_sequences: { not: 'A counter by keyed hash' },
  tries: { not: 'By address and hour; tied to no person' },
  nonces: { not: 'Asked for before anybody is known; gone after minutes' },
  used_proofs: { not: 'Hashes of proofs; gone when they expire' },
  rate_limits: { not: 'Counters; gone after the hour' },
  idempotency_keys: { not: 'Hashes of calls of the app' },
  figures: { not: 'Counts, which name nobody' },
  lane_hours: { not: 'Counts, which name nobody' },
  apps: { not: 'The app, not the person' },
  api_keys: { not: 'The app, not the person' },
  event_types: { not: 'The app, not the person' },
  email_templates: { not: 'The app, not the person' },
  email_template_versions: { not: 'The app, not the person' },
  webhook_endpoints: { not: 'The app, not the person' },
  operators: { not: 'Who runs the installation' },
  operator_tokens: { not: 'Who runs the installation' },
  facts: { not: 'The installation' },
  signing_keys: { not: 'The installation' },
  outbox_workers: { not: 'The installation' },
  traffic_rules: { not: 'The installation' },
}

const tables = Object.values(schema).filter((one) => is(one, Table)) as unknown as (typeof schema.users)[]
const columnsOf = (table: (typeof tables)[number]) => Object.keys(getTableColumns(table))

test('every table is in the export or says why not: who adds one decides', () => {
  expect(tables.map(getTableName).toSorted()).toEqual(Object.keys(held).toSorted())
  for (const table of tables) {
    const entry = held[getTableName(table)]!
    if (columnsOf(table).includes('userId') && 'not' in entry) expect(getTableName(table)).toBe('personal_keys')
  }
})

test('the export has each of these members, and nothing of a person who is erased is left in any table', async () => {
  const server = await startServer()
  const { runtime } = server
  const { db } = runtime
  const app = await telegramApp(server, { channels: { inbox: true } as never })
  const { body } = await signInWithTelegram(server, app)
  const [token, userId] = [body['accessToken'] as string, runtime.vault.ids.parse('usr', body['user'].id)!]
  await call(server, 'PATCH', '/v1/me', { token, body: { email: 'alice@example.com' } })
  await call(server, 'PUT', '/v1/me/signature', { token, body: { signature: '493817' } })
  await call(server, 'POST', '/v1/me/signature/reset', { token, body: {} })
  await call(server, 'POST', '/v1/me/link', { token, body: { email: 'other@example.com' } })
  await queueMail(server, { app, userId, kind: 'signature_updated', to: 'alice@example.com' })
  await runtime.mailer.pass()
  await db.transaction(async (tx) => {
    await recordEvent(runtime, tx, { app, type: 'kyc.success', userId, content: {}, source: 'api' })
    const now = runtime.now()
    const block = { effect: 'block', kind: 'user', userId, reason: 'r', author: 'a', createdAt: now } as const
    await tx.insert(schema.blocks).values({ ...block, expiresAt: now })
    await tx.insert(schema.notificationPreferences).values({ userId, choices: '{}' })
  })
  const exported = (await call(server, 'GET', '/v1/me/export', { token })).body
  for (const [table, entry] of Object.entries(held)) if ('in' in entry) expect(exported, table).toHaveProperty(entry.in)
  expect(exported['mails']).toContainEqual(
    expect.objectContaining({
      to: 'alice@example.com',
      kind: 'signature_updated',
      status: 'kept',
      subject: expect.any(String),
    }),
  )
  expect(exported['underWay']).toEqual({
    signatureResetUntil: expect.any(String),
    accountLinkUntil: expect.any(String),
  })
  expect(exported['audit'].map(({ action }: { action: string }) => action)).toContain('signature.set')
  expect(exported['notifications']).toHaveLength(1)
  expect(JSON.stringify(exported)).not.toMatch(/493817|hash|sealed/i)

  const mine = async () => {
    const found: string[] = []
    for (const table of tables) {
      if (!columnsOf(table).includes('userId')) continue
      const column = getTableColumns(table as unknown as typeof schema.sessions).userId
      const rows = await db.select().from(table).where(eq(column, userId))
      if (rows.length > 0) found.push(getTableName(table))
    }
    return found.toSorted()
  }
  expect(await mine()).toEqual([
    ...[
      'blocks',
      'emails',
      'events',
      'identities',
      'link_codes',
      'notification_preferences',
      'personal_keys',
      'sessions',
    ],
    ...['signature_codes', 'signatures'],
  ])
  expect((await call(server, 'DELETE', '/v1/me', { token })).status).toBe(204)
  expect(await mine()).toEqual([])
  // What is left on purpose names them by number only.
  const log = await db.select().from(schema.auditLog)
  expect(JSON.stringify(log)).not.toMatch(/alice|ito|279058397|example\.com/i)
})
