import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { drive, type Measured } from './load.ts'
import { benchOverview } from './overview.ts'
import { benchRevocation } from './revocation.ts'
import { benchWebhooks } from './webhooks.ts'
import { initDataOf, newWallet, tonLoginBody, type Wallet } from './people.ts'
import { ssoLogins } from './sso.ts'
import type { Announcement } from './target.ts'

/**
 * `npm run bench`: Gatehouse beside its yardsticks in the same run. Targets run on the first core, the load on the second; rounds are interleaved and medians
 * reported, because absolute figures say little on a shared machine. `--quick` for a look, `--million` adds the runs at a million sessions, `--sso` runs
 * nothing but the sign-ins by SSO.
 */
const quick = process.argv.includes('--quick')
const SECONDS = quick ? 2 : 5
/** Checks are compared by short rounds, so that what is held against each other lies close together. */
const CHECK_SECONDS = 2
const CHECK_ROUNDS = quick ? 1 : 9
const PEOPLE = quick ? 4_000 : 20_000

type Target = { child: ChildProcess; pid: number; hello: Announcement }

async function start(name: string): Promise<Target> {
  const child = fork(new URL(`./targets/${name}.ts`, import.meta.url), {
    execPath: process.execPath,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  pin(child.pid!, 0)
  const [hello] = (await once(child, 'message')) as [Announcement]
  return { child, pid: child.pid!, hello }
}

function pin(pid: number, core: number): void {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  spawnSync('taskset', ['-a', '-cp', String(core), String(pid)])
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

function middle(rounds: Measured[]): Measured {
  const by = (key: keyof Measured) => median(rounds.map((round) => round[key]))
  return {
    perSecond: by('perSecond'),
    cpuMicros: by('cpuMicros'),
    p99: by('p99'),
    failed: Math.max(...rounds.map((round) => round.failed)),
  }
}

/** `rounds` where they were interleaved with those of other rows. */
const rows: { name: string; measured: Measured; rounds: Measured[] }[] = []

function note(name: string, measured: Measured, rounds: Measured[] = []): Measured {
  rows.push({ name, measured, rounds })
  const { perSecond, cpuMicros, p99, failed } = measured
  console.log(
    `${name.padEnd(52)} ${String(perSecond).padStart(7)}/s ${String(cpuMicros).padStart(6)} µs CPU  p99 ${p99} ms${failed ? `  FAILED ${failed}` : ''}`,
  )
  return measured
}

async function post(url: string, path: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Record<string, any>
}

const json = { 'content-type': 'application/json' }

async function logins(gatehouse: Target, label: string): Promise<void> {
  const { url } = gatehouse.hello
  const bodies = Array.from({ length: PEOPLE }, (_, n) => JSON.stringify({ initData: initDataOf(n) }))
  const first = await drive(
    url,
    gatehouse.pid,
    { method: 'POST', path: '/v1/apps/jwt/telegram/login', headers: json, bodies, once: true },
    0,
  )
  note(`Telegram login, new person${label}`, first)
  const again = await drive(
    url,
    gatehouse.pid,
    { method: 'POST', path: '/v1/apps/jwt/telegram/login', headers: json, bodies },
    SECONDS,
  )
  note(`Telegram login with eviction${label}`, again)

  if (label === '') await counting(gatehouse, again)

  // Wallets of their own go before the clock starts, for a proof can be sent only once and the first ones find the code cold.
  const warming = Array.from({ length: 1_000 }, () => newWallet())
  const wallets = Array.from({ length: Math.min(PEOPLE, 6_000) }, () => newWallet())
  await tonLogins(gatehouse, warming, true)
  await tonLogins(gatehouse, warming, false)
  note(`ton_proof login, wallet never seen${label}`, await tonLogins(gatehouse, wallets, true))
  note(`ton_proof login, known wallet, with eviction${label}`, await tonLogins(gatehouse, wallets, false))
}

/**
 * What of a sign-in is watching and counting it, measured by itself in the same process: the difference of two runs of whole sign-ins is smaller than what each of
 * them varies by.
 */
async function counting(gatehouse: Target, login: Measured): Promise<void> {
  gatehouse.child.send({ tries: 200_000 })
  const [{ micros }] = (await once(gatehouse.child, 'message')) as [{ micros: number }]
  const share = (micros / (login.cpuMicros - micros)) * 100
  const mark = share < 3 ? '✓' : '✗'
  console.log(
    `${mark} watching and counting cost a sign-in ${micros.toFixed(1)} µs, ${share.toFixed(1)} % (wanted < 3)`,
  )
}

/** Each wallet once, with a nonce and a signature made before the clock starts. */
async function tonLogins(gatehouse: Target, wallets: Wallet[], withState: boolean): Promise<Measured> {
  const { url } = gatehouse.hello
  const proofs: string[] = []
  for (let from = 0; from < wallets.length; from += 64) {
    const some = wallets.slice(from, from + 64)
    const nonces = await Promise.all(some.map(() => post(url, '/v1/apps/jwt/ton/nonce', '{}')))
    proofs.push(...some.map((wallet, n) => tonLoginBody(wallet, nonces[n] as { id: string; nonce: string }, withState)))
  }
  const call = { method: 'POST' as const, path: '/v1/apps/jwt/ton/login', headers: json, bodies: proofs, once: true }
  return drive(url, gatehouse.pid, call, 0)
}

async function checks(gatehouse: Target, others: Record<string, Target>, label: string): Promise<void> {
  const { url, apiKeys } = gatehouse.hello as Announcement & { apiKeys: Record<string, string> }
  const tokens: Record<string, string[]> = { jwt: [], opaque: [] }
  for (const app of ['jwt', 'opaque']) {
    for (let n = 0; n < 500; n++) {
      const login = await post(url, `/v1/apps/${app}/telegram/login`, JSON.stringify({ initData: initDataOf(n) }))
      tokens[app]!.push(login['accessToken'])
    }
  }
  const runs: Record<string, () => Promise<Measured>> = {
    [`bare Express route${label}`]: () =>
      drive(
        others['express']!.hello.url,
        others['express']!.pid,
        { method: 'GET', path: '/v1/session' },
        CHECK_SECONDS,
      ),
  }
  for (const app of ['jwt', 'opaque']) {
    runs[`GET /v1/session, ${app}${label}`] = () =>
      drive(url, gatehouse.pid, { method: 'GET', path: '/v1/session', tokens: tokens[app]! }, CHECK_SECONDS)
    const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${apiKeys[app]}` }
    const bodies = tokens[app]!.map((token) => `token=${encodeURIComponent(token)}`)
    runs[`POST /oauth/introspect, ${app}${label}`] = () =>
      drive(url, gatehouse.pid, { method: 'POST', path: '/oauth/introspect', headers, bodies }, CHECK_SECONDS)
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const forms = tokens['jwt']!.map((token) => `token=${encodeURIComponent(token)}`)
  runs[`bare Express route that reads a form${label}`] = () =>
    drive(
      others['express']!.hello.url,
      others['express']!.pid,
      { method: 'POST', path: '/oauth/introspect', headers: form, bodies: forms },
      CHECK_SECONDS,
    )
  if (others['better-auth']) {
    const { url, cookie } = others['better-auth'].hello as Announcement & { cookie: string }
    runs['better-auth get-session (SQLite)'] = () =>
      drive(
        url,
        others['better-auth']!.pid,
        { method: 'GET', path: '/api/auth/get-session', headers: { cookie } },
        CHECK_SECONDS,
      )
  }
  if (others['oidc-provider']) {
    const { url, token, authorization } = others['oidc-provider'].hello as Announcement & {
      token: string
      authorization: string
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization }
    runs['oidc-provider introspection (SQLite)'] = () =>
      drive(
        url,
        others['oidc-provider']!.pid,
        { method: 'POST', path: '/token/introspection', headers, bodies: [`token=${token}`] },
        CHECK_SECONDS,
      )
  }
  // A round that does not count, for all alike: the first requests find the code cold.
  for (const run of Object.values(runs)) await run()
  const results = new Map<string, Measured[]>(Object.keys(runs).map((name) => [name, []]))
  for (let round = 0; round < CHECK_ROUNDS; round++) {
    for (const [name, run] of Object.entries(runs)) results.get(name)!.push(await run())
  }
  for (const [name, rounds] of results) note(name, middle(rounds), rounds)
}

/** How much of one row's rate another has: in each of the rounds that they had in turn, and of these the median. */
function ratio(what: string, of: string, to: string, wanted: number): void {
  const find = (name: string) => rows.findLast((row) => row.name === name)
  const [a, b] = [find(of), find(to)]
  if (a === undefined || b === undefined) return
  const inTurn = a.rounds.length > 0 && a.name.includes(' at 1 M') === b.name.includes(' at 1 M')
  const value = inTurn
    ? median(a.rounds.map(({ perSecond }, round) => perSecond / b.rounds[round]!.perSecond))
    : a.measured.perSecond / b.measured.perSecond
  console.log(`${value >= wanted ? '✓' : '✗'} ${what}: ${value.toFixed(2)} (wanted ${wanted})`)
}

/** What the bare Express route answers a second where the wanted rates were set; a slower machine is asked for as much less. */
const REFERENCE = 39_800

const paceOfMachine = () => {
  const bare = rows.find((row) => row.name === 'bare Express route')?.measured.perSecond
  return Math.min(1, (bare ?? REFERENCE) / REFERENCE)
}

function rate(name: string, wanted: number): void {
  const measured = rows.findLast((row) => row.name === name)?.measured
  if (!measured) return
  const here = Math.round(wanted * paceOfMachine())
  const mark = measured.perSecond >= here ? '✓' : '✗'
  console.log(`${mark} ${name}: ${measured.perSecond}/s (wanted ${wanted}, on this machine ${here})`)
}

async function pages(gatehouse: Target): Promise<void> {
  const { url, operatorToken, appId } = gatehouse.hello as Announcement & { operatorToken: string; appId: string }
  const queries = {
    newest: '',
    'of an app, active': `appId=${appId}&status=active`,
    'by method and address': 'method=ton&ip=10.0.2.98',
    'by a wide network, latest activity first': 'ip=10.0.0.0/8&sort=-lastActiveAt',
    'by a method that hardly anybody has': 'method=sso',
    'the same, latest activity first': 'method=sso&sort=-lastActiveAt',
    'by a kind of device': 'device=telegram_ios&sort=-lastActiveAt',
    'by one that hardly anybody has': 'device=bot',
    'by country': 'country=DE',
    'by one where hardly anybody is': 'country=IS&sort=-lastActiveAt',
    'latest activity first': 'sort=-lastActiveAt',
    'active, latest activity first': 'status=active&sort=-lastActiveAt',
    'active, idle the longest': 'status=active&sort=lastActiveAt',
    'ended by an operator': 'reason=revoked_by_operator',
    'created in one hour, oldest first': `sort=createdAt&createdFrom=${new Date(Date.now() - 300_000_000).toISOString()}&createdTo=${new Date(Date.now() - 296_400_000).toISOString()}`,
    'active in one hour': `activeFrom=${new Date(Date.now() - 300_000_000).toISOString()}&activeTo=${new Date(Date.now() - 296_400_000).toISOString()}`,
    'by Telegram id': 'q=100000042',
  }
  for (const [name, query] of Object.entries(queries)) {
    const times: number[] = []
    let found = 0
    for (let round = 0; round < 9; round++) {
      const began = performance.now()
      const response = await fetch(`${url}/api/v1/sessions?limit=50&${query}`, {
        headers: { authorization: `Bearer ${operatorToken}` },
      })
      const { items } = (await response.json()) as { items: unknown[] }
      times.push(performance.now() - began)
      found = items.length
    }
    const took = median(times)
    const label = `sessions page, ${name} (${found} rows)`.padEnd(64)
    console.log(`${took < 50 ? '✓' : '✗'} ${label}${took.toFixed(1)} ms (wanted < 50)`)
  }
}

async function sso(gatehouse: Target): Promise<void> {
  const tokenInfo = await start('tokenInfo')
  pin(tokenInfo.pid, 1)
  const { url, operatorToken } = gatehouse.hello as Announcement & { operatorToken: string }
  // Short rounds and many: the 99th percentile of one is what the disk did in it.
  const options = quick ? { seconds: 2, rounds: 1, people: PEOPLE } : { seconds: 3, rounds: 7, people: PEOPLE }
  const { alone, beside } = await ssoLogins({ url, operatorToken, pid: gatehouse.pid }, tokenInfo.hello.url, options)
  tokenInfo.child.kill('SIGKILL')
  const [one, two] = [
    note('ssoLogin with eviction', middle(alone)),
    note('the same while the upstream of another app hangs', middle(beside)),
  ]
  const moved = two.p99 / one.p99 - 1
  console.log(
    `${moved < 0.2 ? '✓' : '✗'} p99 beside a hanging upstream moves by ${Math.round(moved * 100)} % (wanted < 20)`,
  )
}

pin(process.pid, 1)
const onlySso = process.argv.includes('--sso')
const peers = onlySso || process.argv.includes('--no-peers') ? [] : ['better-auth', 'oidc-provider']
const gatehouse = await start('gatehouse')
const others: Record<string, Target> = { express: await start('express') }
for (const peer of peers) others[peer] = await start(peer)
if (!onlySso) {
  await checks(gatehouse, others, '')
  await logins(gatehouse, '')
}
await sso(gatehouse)
if (process.argv.includes('--million')) {
  const began = performance.now()
  gatehouse.child.send({ fill: 1_000_000 })
  await once(gatehouse.child, 'message')
  console.log(`a million sessions put in place in ${Math.round((performance.now() - began) / 1000)} s`)
  await checks(gatehouse, { express: others['express']! }, ' at 1 M')
  await logins(gatehouse, ' at 1 M')
  await pages(gatehouse)
}
console.log('')
for (const app of ['jwt', 'opaque']) {
  ratio(`session check to a bare route, ${app}`, `GET /v1/session, ${app}`, 'bare Express route', 0.7)
  ratio(`introspection to a bare route, ${app}`, `POST /oauth/introspect, ${app}`, 'bare Express route', 0.7)
  ratio(
    `introspection to a bare route that reads a form, ${app}`,
    `POST /oauth/introspect, ${app}`,
    'bare Express route that reads a form',
    0.7,
  )
  for (const row of [`GET /v1/session, ${app}`, `POST /oauth/introspect, ${app}`])
    ratio(`${row} at 1 M sessions to without`, `${row} at 1 M`, row, 0.67)
}
ratio('session check to better-auth', 'GET /v1/session, jwt', 'better-auth get-session (SQLite)', 15)
ratio('introspection to oidc-provider', 'POST /oauth/introspect, jwt', 'oidc-provider introspection (SQLite)', 3)
rate('Telegram login with eviction', 4_000)
rate('ssoLogin with eviction', 4_000)
rate('ton_proof login, wallet never seen', 900)
rate('ton_proof login, known wallet, with eviction', 2_500)
for (const row of [
  'Telegram login, new person',
  'Telegram login with eviction',
  'ton_proof login, wallet never seen',
  'ton_proof login, known wallet, with eviction',
])
  ratio(`${row} at 1 M sessions to without`, `${row} at 1 M`, row, 0.67)
const out = process.argv.find((argument) => argument.startsWith('--out='))?.slice(6)
if (out) writeFileSync(out, JSON.stringify(rows, null, 2))
for (const { child } of [gatehouse, ...Object.values(others)]) child.kill('SIGKILL')
if (!onlySso && !process.argv.includes('--no-overview')) await benchOverview()
if (!onlySso) await benchRevocation({ quick })
if (!process.argv.includes('--no-webhooks')) await benchWebhooks({ quick, postgres: false })
