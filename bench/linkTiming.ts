import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { eq } from 'drizzle-orm'
import { createApp } from '../server/app/change.ts'
import { loadConfig } from '../server/config.ts'
import { closeRuntime, createRuntime } from '../server/createRuntime.ts'
import { users } from '../server/db/schema.ts'
import { migrate } from '../server/db/migrate.ts'
import { sealProfile } from '../server/identity/findOrCreate.ts'
import { cliActor } from '../server/operator/audit.ts'
import { Agent, request } from 'node:http'
import { botToken, initData, person } from '../test/support/telegram.ts'

/**
 * `node bench/linkTiming.ts 400`: whether time tells if an account exists. Asks a real server so many times to link an account with an address that somebody
 * has, and as often one that nobody has, in turn, over one connection, and compares how long the answer takes, how long the very next call takes, and how
 * long the server is ever silent in the second and a half after it (when the mail is written and sent). Says for each how well one could tell them apart: the chance that a
 * randomly chosen one of the first kind takes longer than one of the second; 0.5 is not at all.
 */
const rounds = Number(process.argv[2] ?? 400)
const watched = Number(process.argv[3] ?? 30)
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-link-'))
const env = {
  PATH: process.env['PATH'] ?? '',
  DATABASE_URL: process.env['DATABASE_URL'] ?? `file:${folder}/link.db`,
  GATEHOUSE_DATA_DIR: folder,
  GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
  GATEHOUSE_TRUST_PROXY: '127.0.0.1/32',
  GATEHOUSE_RATE_LIMITS: 'off',
  PORT: '0',
}
/** An address gets ten mails a day, and a person asks five times an hour. */
const PER_MAILBOX = 8
const PER_PERSON = 4
const asks = rounds + watched
const mailbox = (kind: string, nth: number) => `${kind}${Math.floor(nth / PER_MAILBOX)}@example.org`

await migrate(env.DATABASE_URL)
const runtime = createRuntime(loadConfig(env))
const app = await createApp(runtime, cliActor, { name: 'Quest', slug: 'quest', telegram: { botToken } })
const now = new Date()
for (let nth = 0; nth * PER_MAILBOX < asks; nth++)
  await runtime.db.transaction(async (tx) => {
    const [user] = await tx
      .insert(users)
      .values({ appId: app.id, createdAt: now } as never)
      .returning({ id: users.id })
    const profile = { email: `known${nth}@example.org`, emailVerified: true, name: 'Ada Lovelace', language: 'en' }
    await tx
      .update(users)
      .set(await sealProfile(runtime, tx, user!.id, profile))
      .where(eq(users.id, user!.id))
  })
await closeRuntime(runtime)

const server = spawn(process.execPath, [fileURLToPath(new URL('../server/cli.mjs', import.meta.url)), 'serve'], { env })
const port = await new Promise<number>((resolve, reject) => {
  let printed = ''
  server.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
    const [, port] = /"port":(\d+),"msg":"listening"/.exec(printed) ?? []
    if (port) resolve(Number(port))
  })
  server.on('close', () => reject(new Error(printed)))
})
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** One call over the one connection; milliseconds. */
function send(method: string, path: string, nth: number, body?: object, token?: string) {
  const bytes = body && JSON.stringify(body)
  const headers = {
    'x-forwarded-for': `198.51.${(nth >> 8) & 255}.${nth & 255}`,
    ...(bytes && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
    ...(token && { authorization: `Bearer ${token}` }),
  }
  const began = performance.now()
  return new Promise<{ status: number; took: number; body: string }>((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, agent, method, path, headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode!, took: performance.now() - began, body: text }))
    })
    call.on('error', reject)
    call.end(bytes)
  })
}

const tokens: string[] = []
for (let nth = 0; nth * PER_PERSON < 2 * asks; nth++) {
  const body = { initData: initData(person(nth + 1), new Date()) }
  const login = await send('POST', '/v1/apps/quest/telegram/login', nth, body)
  tokens.push((JSON.parse(login.body) as { accessToken: string }).accessToken)
}

type Times = Record<'known' | 'unknown', number[]>
const none = (): Times => ({ known: [], unknown: [] })
const [answer, next, silence] = [none(), none(), none()]
let asked = 0
for (let round = 0; round < asks; round++) {
  const kinds = Math.random() < 0.5 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)
  for (const kind of kinds) {
    const nth = Math.floor(asked++ / PER_PERSON)
    const token = tokens[nth]!
    const { status, took } = await send('POST', '/v1/me/link', asked, { email: mailbox(kind, round) }, token)
    if (status !== 202) throw new Error(`answered ${status}`)
    if (round < rounds) {
      answer[kind].push(took)
      next[kind].push((await send('GET', '/v1/session', asked, undefined, token)).took)
      await wait(5)
      continue
    }
    let longest = 0
    const until = performance.now() + 1_500
    while (performance.now() < until) longest = Math.max(longest, (await send('GET', '/healthz', asked)).took)
    silence[kind].push(longest)
  }
}
server.kill('SIGKILL')
agent.destroy()

const median = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN
/** The chance that one of `a` is larger than one of `b`. */
const larger = (a: number[], b: number[]) =>
  a.reduce((sum, x) => sum + b.reduce((sum, y) => sum + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0) / (a.length * b.length)
for (const [what, { known, unknown }] of Object.entries({ answer, 'next call': next, 'longest silence': silence }))
  console.log(
    `${what}: medians ${median(known).toFixed(2)} and ${median(unknown).toFixed(2)} ms (${known.length} each), told apart ${larger(known, unknown).toFixed(3)}`,
  )
