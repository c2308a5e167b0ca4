import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { createOperator } from '../../server/operator/create.ts'
import type { App } from '../../server/app/app.ts'
import type { Role } from '../../server/operator/operator.ts'
import { maskAddress } from '../../server/email/mask.ts'
import { hashAddress } from '../../server/email/queue.ts'
import { saveSuppression } from '../../server/email/store.ts'
import { queueMail } from '../support/mail.ts'
import { password } from '../support/operator.ts'
import { local } from '../support/events.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { signInWithTelegram } from '../support/signIn.ts'
import { createBlock } from '../../server/traffic/blocks.ts'
import { botToken, initData, person, type TelegramPerson } from '../support/telegram.ts'
import { addEvents } from './events.ts'
import { account, newWallet, tonProof, type TestWallet } from '../support/wallet.ts'

export const devices = {
  android:
    'Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/AP4A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/143.0.0.0 Mobile Safari/537.36 Telegram-Android/12.2.1 (Google Pixel 9; Android 15; SDK 35; HIGH)',
  ios: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Telegram-iOS/12.1',
  mac: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36',
  windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
}
const agents = Object.values(devices)

/** A real server with real time; `clock.pass` moves it against the world's clock. */
export async function startInstallation(): Promise<TestServer> {
  const server = await startServer({
    keep: true,
    env: { GATEHOUSE_TRUST_PROXY: '127.0.0.0/8', GATEHOUSE_COUNTRY_HEADER: 'CF-IPCountry', ...local },
  })
  let ahead = 0
  Object.defineProperty(server.clock, 'now', {
    get: () => new Date(Date.now() + ahead),
    set: (at: Date) => (ahead = at.getTime() - Date.now()),
  })
  return server
}

export async function addOperator(server: TestServer, role: Role, name?: string): Promise<string> {
  const email = `${role}@example.com`
  await createOperator(server.runtime, cliActor, { email, password, role, ...(name && { name }) })
  return email
}

/** The cookie that an operator's browser holds after signing in. */
export async function signInOperator(server: TestServer, email: string): Promise<{ name: string; value: string }> {
  const answer = await call(server, 'POST', '/trpc/auth.signIn', { body: { email, password } })
  const [name, value] = answer.headers.get('set-cookie')!.split(';')[0]!.split('=') as [string, string]
  return { name, value }
}

export const signIn = (server: TestServer, app: App, user: TelegramPerson, device = devices.ios): Promise<Answer> =>
  signInWithTelegram(server, app, user, {
    'user-agent': device,
    'x-forwarded-for': homeOf(user.id),
    'cf-ipcountry': countries[user.id % countries.length]!,
  })

const countries = ['DE', 'BR', 'NG', 'XX', 'KR', 'GS']

/** Everybody has an address of their own, some an IPv6 one. */
const homeOf = (id: number): string =>
  id % 5 === 0 ? `2001:db8:${(id % 4096).toString(16)}::${id % 97}` : `203.0.113.${id % 254}`

/** A wallet signs in by `ton_proof`, as TON Connect hands it over. */
export async function signInWithWallet(server: TestServer, app: App, wallet: TestWallet): Promise<Answer> {
  const asked = await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })
  const { id, nonce } = asked.body as { id: string; nonce: string }
  const proof = tonProof(wallet, nonce, server.clock.now, { domain: app.settings.ton.domains[0]! })
  return call(server, 'POST', `/v1/apps/${app.slug}/ton/login`, {
    body: { id, account: account(wallet), proof },
    headers: { 'user-agent': 'Tonkeeper/5.3.1 (iOS)', 'x-forwarded-for': '198.51.100.24' },
  })
}

const names =
  'jack mei kira noor ivan olga sam lea tariq yuki bruno ana pavel wei femi lucia omar nina hugo sara'.split(' ')
const people = names.map((name, place) => ({
  ...person(310_000_000 + place * 7919),
  first_name: name[0]!.toUpperCase() + name.slice(1),
  username: place === 7 ? 'a_very_long_telegram_username_in' : `${name}_${40 + place}`,
}))

export type Populated = {
  server: TestServer
  apps: { quest: App; wallet: App; arena: App }
  /** Ids that pages are opened with. */
  ids: { session: string; evicted: string; user: string; app: string; email: string }
  events: Awaited<ReturnType<typeof addEvents>>
  /** The access token of a session that lives. */
  token: string
}

/** The app's own server, which knows one token well and answers for it too late; and some sign-ins that it refuses. */
async function refuseTokens(server: TestServer, app: App): Promise<void> {
  const upstream = createServer((request, response) => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      sub: 'ann',
      iat: now - 900,
      exp: now - 300,
      aud: 'ton-quest',
      email: 'ann@example.com',
      name: 'Ann',
    }
    if (!request.url!.includes('ann')) response.writeHead(401).end()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(claims))
  }).unref()
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  await changeApp(server.runtime, cliActor, app.id, {
    sso: {
      tokenInfoUrl: `http://127.0.0.1:${port}/tokeninfo`,
      tokenIn: 'query:token',
      headers: { 'x-api-key': 'key' },
    },
  })
  for (const token of ['ann-1', 'ann-2', 'somebody', 'somebody-else'])
    await call(server, 'POST', `/v1/apps/${app.slug}/sso/login`, {
      body: { token },
      headers: { 'x-forwarded-for': '203.0.113.7' },
    })
}

/** A day in the life of three apps: some dozens of people sign in through the public API, with what Telegram and wallets really sign. */
export async function populate(server: TestServer, signIns = 16): Promise<Populated> {
  const { clock, runtime } = server
  clock.pass(-23 * 3600)
  const [quest, wallet, arena] = [
    await server.createApp({
      name: 'Ton Quest',
      telegram: { botToken },
      audiences: ['ton-quest', 'ton-quest-staging'],
      ton: { domains: ['quest.example.com'] },
      allowedOrigins: ['https://quest.example.com'],
      branding: { supportEmail: 'help@quest.example.com', primaryColor: '#0064bf' },
    }),
    await server.createApp({
      name: 'Mini Wallet',
      telegram: { botToken },
      audiences: ['mini-wallet'],
      ton: { domains: ['wallet.example.com'] },
      sessionPolicy: { maxConcurrentSessions: 3 },
    }),
    await server.createApp({
      name: 'Arena Bot',
      telegram: { botToken },
      sessionPolicy: { maxConcurrentSessions: 2, accessTokenFormat: 'opaque' },
    }),
  ]
  const wallets = Array.from({ length: 6 }, () => newWallet())
  let last: Answer | undefined
  for (let round = 0; round < signIns; round++) {
    // More in the evening than at night, as it is.
    clock.pass(Math.round(((1 + 0.75 * Math.sin((round / signIns) * 6.3)) * 22.6 * 3600) / signIns))
    const app = [quest, wallet, quest, arena, wallet][round % 5]!
    const who = people[(round * 7 + (round >> 2)) % people.length]!
    if (round % 9 === 4) await signInWithWallet(server, round % 2 ? quest : wallet, wallets[round % wallets.length]!)
    else last = await signIn(server, app, who, agents[round % agents.length])
  }
  await changeApp(runtime, cliActor, arena.id, { sessionPolicy: { idleTimeout: 172_800 } })
  // One person on two devices in turn: the second sign-in evicts the first.
  const first = await signIn(server, quest, people[0]!, devices.android)
  clock.pass(900)
  last = await signIn(server, quest, people[0]!, devices.mac)
  clock.now = new Date()
  await attack(server, quest)
  await refuseTokens(server, quest)
  const events = await addEvents(
    server,
    quest,
    people.slice(0, 4).map(({ id }) => String(id)),
  )
  const { session, user, accessToken } = last.body
  const email = await sendMails(server, quest, user.id)
  return {
    server,
    apps: { quest, wallet, arena },
    ids: { session: session.id, evicted: first.body['session'].id, user: user.id, app: quest.publicId, email },
    events,
    token: accessToken,
  }
}

/** Somebody without the bot's token tries their luck, from one address and from a few others; a bank of theirs is blocked by hand. */
async function attack(server: TestServer, app: App): Promise<void> {
  for (let n = 0; n < 34; n++) {
    const ip = n < 28 ? '203.0.113.66' : `198.51.100.${n}`
    await call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, {
      body: { initData: initData(person(400_000_000 + n), server.clock.now, `${botToken.slice(0, -5)}wrong`) },
      headers: { 'user-agent': 'python-requests/2.32', 'x-forwarded-for': ip },
    })
  }
  await createBlock(server.runtime, cliActor, {
    effect: 'block',
    kind: 'network',
    value: '192.0.2.0/24',
    reason: 'Sold accounts, ticket 4711',
  })
}

/** What somebody's mishaps with their signature made us write; the public id of one with a code. */
async function sendMails(server: TestServer, app: App, user: string): Promise<string> {
  const { ids } = server.runtime.vault
  const mail = { app, userId: ids.parse('usr', user)!, to: 'jack@quest.example.com' }
  const facts = { userName: 'Jack', ip: '203.0.113.7', device: 'Telegram on iPhone' }
  const id = await queueMail(server, {
    ...mail,
    kind: 'verification_code_reset_signature',
    variables: { ...facts, code: '493817' },
  })
  for (const [kind, to] of [
    ['signature_updated', 'jack@quest.example.com'],
    ['recovery_questions_updated', 'a.very.long.address.for.a.small.window@mail.quest.example.com'],
    ['signature_reset_failed', 'nobody'],
  ] as const)
    await queueMail(server, { ...mail, kind, to, variables: facts })
  await server.runtime.mailer.pass()
  await refuseMail(
    server,
    'gone@mail.quest.example.com',
    '550 5.1.1 <…>: Recipient address rejected: User unknown',
    null,
  )
  await refuseMail(server, 'full@example.org', '4.4.7 delivery time expired', new Date(Date.now() + 500_000_000))
  return ids.seal('eml', id)
}

/** An address that gets no mail. */
async function refuseMail({ runtime }: TestServer, address: string, reason: string, until: Date | null): Promise<void> {
  const createdAt = runtime.now()
  await runtime.db.transaction((tx) =>
    saveSuppression(tx, {
      toHash: hashAddress(runtime.vault, address),
      toSealed: runtime.vault.seal(maskAddress(address), 'emails.to'),
      ...{ reason, createdAt, until },
    }),
  )
}
