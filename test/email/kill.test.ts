import Sqlite from 'better-sqlite3'
import { asc } from 'drizzle-orm'
import { simpleParser } from 'mailparser'
import pg from 'pg'
import type { SMTPServerOptions } from 'smtp-server'
import { expect, test, vi } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { emails } from '../../server/db/schema.ts'
import { freshDatabase } from '../support/database.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { startSmtp } from '../support/smtp.ts'
import { botToken, initData, person } from '../support/telegram.ts'

// The real process is killed while a real mail server has its connection in hand. Where a write must not come through, the database is locked as by
// somebody else.

type Points = Pick<SMTPServerOptions, 'onRcptTo' | 'onData'>
type Moment = {
  kill: () => Promise<void>
  lock: () => Promise<void>
  accept: (source: string) => void
  /** Settles once the newest mail is written down as sent. */
  written: () => Promise<void>
}

/** Where the process dies, and what becomes of its mail. */
const moments: Record<string, { points: (at: Moment) => Points; status: string; reason: string }> = {
  'before the server asks for the mail': {
    points: ({ kill }) => ({ onRcptTo: (_to, _session, done) => void kill().then(() => done()) }),
    status: 'sent',
    reason: 'ok',
  },
  'while the mail is on its way, but for its end': {
    points: ({ kill, lock }) => ({
      onRcptTo: (_to, _session, done) => void lock().then(() => done()),
      onData: (stream) => void stream.once('data', () => void kill()).on('error', () => undefined),
    }),
    status: 'sent',
    reason: 'ok',
  },
  'after the server has the whole mail, and before it says so': {
    points: ({ kill, accept }) => ({
      onData: (stream, _session, done) =>
        whole(stream, (source) => {
          accept(source)
          void kill().then(() => done())
        }),
    }),
    status: 'unconfirmed',
    reason: 'process_died',
  },
  'after the server has said 250, and before that is written down': {
    points: ({ kill, lock, accept }) => ({
      onData: (stream, session, done) =>
        whole(stream, (source) => {
          accept(source)
          void lock().then(() => {
            done()
            // The answer is on the socket by the next turn; whether it is read makes no difference to what is written.
            setImmediate(() => void kill())
          })
        }),
    }),
    status: 'unconfirmed',
    reason: 'process_died',
  },
  'after it is written down': {
    points: ({ kill, accept, written }) => ({
      onData: (stream, _session, done) =>
        whole(stream, (source) => {
          accept(source)
          done()
          void written().then(kill)
        }),
    }),
    status: 'sent',
    reason: 'ok',
  },
}

function whole(stream: NodeJS.ReadableStream, then: (source: string) => void): void {
  let source = ''
  stream.on('data', (chunk: Buffer) => (source += chunk.toString('latin1')))
  stream.on('end', () => then(source))
}

test('a process that is killed anywhere around DATA loses no mail and sends none twice', async () => {
  const databaseUrl = await freshDatabase()
  const GATEHOUSE_SECRET_KEY = Buffer.alloc(32, 7).toString('base64')
  const app = { apps: [{ slug: 'quest', name: 'Quest', telegram: { botToken } }] }
  const made = await gatehouse(
    environment(databaseUrl, { GATEHOUSE_SECRET_KEY }),
    ['apply', '-f', '-'],
    JSON.stringify(app),
  )
  expect(made.code).toBe(0)

  // The same server lives on elsewhere when all others are dead.
  const last = await startSmtp()
  const heir = await startServer({ databaseUrl, now: new Date(), env: { SMTP_URL: last.url } })
  const accepted: string[] = []
  for (const [nth, { points }] of Object.values(moments).entries()) {
    let unlock = async () => {}
    const smtp = await startSmtp(
      points({
        kill: async () => void (await server.end('SIGKILL')),
        lock: async () => void (unlock = await lockEmails(databaseUrl)),
        accept: (source) => accepted.push(source),
        written: () =>
          vi.waitUntil(async () => (await statesOf(heir)).at(-1)!.status === 'sent', 10_000).then(() => {}),
      }),
    )
    const server = await startServing(environment(databaseUrl, { GATEHOUSE_SECRET_KEY, SMTP_URL: smtp.url }))
    await askForCode(server, nth)
    expect(await server.ended).toBe(null)
    await unlock()
    await smtp.stop()
  }

  await heir.runtime.mailer.pass()
  expect(last.received).toEqual([])
  // A mail belongs to who claimed it until its lease is over.
  heir.clock.pass(181)
  for (const seconds of [0, 60, 300, 3_600]) {
    heir.clock.pass(seconds)
    await heir.runtime.mailer.pass()
  }
  expect(await statesOf(heir)).toEqual(Object.values(moments).map(({ status, reason }) => ({ status, reason })))
  const arrived = [...accepted, ...last.received.map(({ source }) => source)]
  const parsed = await Promise.all(arrived.map((source) => simpleParser(source)))
  expect(parsed.map(({ to }) => [to].flat()[0]!.text).sort()).toEqual(
    Object.keys(moments).map((_, nth) => `person${nth}@example.org`),
  )
  expect(new Set(parsed.map(({ messageId }) => messageId)).size).toBe(parsed.length)
})

/** A person with an address asks for a code, from outside. */
async function askForCode(server: { url: string }, nth: number): Promise<void> {
  const login = await call(server, 'POST', '/v1/apps/quest/telegram/login', {
    body: { initData: initData(person(nth + 1), new Date()) },
  })
  const token = login.body['accessToken'] as string
  await call(server, 'PATCH', '/v1/me', { token, body: { email: `person${nth}@example.org` } })
  expect((await call(server, 'POST', '/v1/me/signature/reset', { token, body: {} })).status).toBe(202)
}

const statesOf = async ({ runtime: { db } }: TestServer) =>
  db.select({ status: emails.status, reason: emails.reason }).from(emails).orderBy(asc(emails.id))

/** Keeps everybody from writing into the outbox of mails until it is undone. */
async function lockEmails(databaseUrl: string): Promise<() => Promise<void>> {
  if (dialect === 'sqlite') {
    const file = new Sqlite(databaseUrl.slice('file:'.length))
    file.exec('begin immediate')
    return async () => void file.close()
  }
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('begin; lock table emails in exclusive mode')
  return () => client.end()
}
