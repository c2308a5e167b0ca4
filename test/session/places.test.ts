import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from '../../server/config.ts'
import { dialect } from '../../server/db/dialect.ts'
import { migrate } from '../../server/db/migrate.ts'
import { sessions } from '../../server/db/schema.ts'
import { createGeo } from '../../server/origin/geo.ts'
import { execute, olderDatabase } from '../support/older.ts'
import { operatorToken } from '../support/operator.ts'
import { writeMmdb } from '../support/mmdb.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { alice, person } from '../support/telegram.ts'

const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148'
const android =
  'Mozilla/5.0 (Linux; Android 14; Samsung SM-S921B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.0.0 Mobile Safari/537.36 Telegram-Android/12.0.4 (Samsung SM-S921B; Android 14; SDK 34; HIGH)'
const windows =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

const proxied = { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_COUNTRY_HEADER: 'CF-IPCountry' }
const folder = () => mkdtempSync(join(tmpdir(), 'gatehouse-geo-'))

/** A server with an app, and the management API over it. */
async function start(env: Record<string, string> = proxied) {
  const server = await startServer({ env })
  const app = await telegramApp(server)
  const token = await operatorToken(server)
  const list = async (query: string) => {
    const answer = await call(server, 'GET', `/api/v1/sessions?${query}`, { token })
    expect([query, answer.status]).toEqual([query, 200])
    return answer.body as { items: { id: string; deviceKind: string; country: string | null }[]; nextCursor: string }
  }
  return { server, app, token, list }
}

async function countryOf(server: TestServer, app: Awaited<ReturnType<typeof telegramApp>>, headers: object, n: number) {
  const login = await signInWithTelegram(server, app, person(n + 1), headers as Record<string, string>)
  expect(login.status).toBe(200)
  const mine = await call(server, 'GET', '/v1/me/sessions', { token: login.body['accessToken'] })
  return mine.body['items'][0].country as string | null
}

test('a sign-in notes the kind of device and the country, and lists, counts and bulk revocation are narrowed by both', async () => {
  const { server, app, token, list } = await start()
  const people = [
    { 'user-agent': iphone, 'cf-ipcountry': 'DE' },
    { 'user-agent': android, 'cf-ipcountry': 'DE' },
    { 'user-agent': android, 'cf-ipcountry': 'br' },
    { 'user-agent': 'curl/8.5.0', 'cf-ipcountry': 'XX' },
    { 'user-agent': '' },
  ]
  for (const [n, headers] of people.entries())
    await signInWithTelegram(server, app, person(n + 1), headers as unknown as Record<string, string>)

  const all = await list('sort=createdAt')
  expect(all.items.map(({ deviceKind, country }) => [deviceKind, country])).toEqual([
    ['ios', 'DE'],
    ['telegram_android', 'DE'],
    ['telegram_android', 'BR'],
    ['script', null],
    ['unknown', null],
  ])
  for (const sort of ['createdAt', '-createdAt', 'lastActiveAt', '-lastActiveAt']) {
    const found = async (query: string) => (await list(`${query}&sort=${sort}`)).items.length
    expect(await found('device=telegram_android')).toBe(2)
    expect(await found('device=unknown')).toBe(1)
    expect(await found('device=bot')).toBe(0)
    expect(await found('country=DE')).toBe(2)
    expect(await found('country=de')).toBe(2)
    expect(await found('country=unknown')).toBe(2)
    expect(await found('country=DE&device=telegram_android')).toBe(1)
    expect(await found(`country=DE&device=telegram_android&appId=${app.publicId}&status=active`)).toBe(1)
    expect(await found('country=FR')).toBe(0)
  }
  const count = await call(server, 'GET', '/api/v1/sessions/count?country=DE', { token })
  expect(count.body).toEqual({ count: 2, users: 2, capped: false })

  const filter = { country: 'DE', device: 'telegram_android' }
  const revoke = { token, body: { filter, expectedCount: 1 } }
  expect((await call(server, 'POST', '/api/v1/sessions/revoke', revoke)).body).toEqual({ revoked: 1 })
  expect((await list('status=ended')).items.map(({ id }) => id)).toEqual([all.items[1]!.id])
  const audit = await call(server, 'GET', '/api/v1/audit?action=session.revoke_many', { token })
  expect(audit.body['items'][0].after).toMatchObject({ revoked: 1, filter })
})

test('pages of one kind of device follow each other without gaps, in every order', async () => {
  const { server, app, list } = await start()
  for (let n = 0; n < 9; n++) {
    await signInWithTelegram(server, app, person(n + 1), { 'user-agent': n % 3 === 0 ? windows : android })
    server.clock.pass(n % 2 ? 0 : 40)
  }
  for (const sort of ['createdAt', '-createdAt', 'lastActiveAt', '-lastActiveAt']) {
    const seen: string[] = []
    for (let cursor = ''; ;) {
      const page = await list(`device=telegram_android&limit=2&sort=${sort}${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map(({ id }) => id))
      if (!page.nextCursor) break
      cursor = page.nextCursor
    }
    const whole = (await list(`limit=50&sort=${sort}`)).items.filter((item) => item.deviceKind === 'telegram_android')
    expect(seen).toEqual(whole.map(({ id }) => id))
    expect(seen).toHaveLength(6)
  }
})

test('a filter that is none is refused by name', async () => {
  const { server, token } = await start()
  for (const query of ['device=toaster', 'country=Germany', 'country=D', 'country=D1']) {
    const answer = await call(server, 'GET', `/api/v1/sessions?${query}`, { token })
    expect([query, answer.status, answer.body['errors'][0].path]).toEqual([query, 400, query.split('=')[0]])
  }
})

test('the header of a country is believed of a trusted proxy only, and only where it says one', async () => {
  const trusting = await start()
  const asked = [
    ['DE', 'DE'],
    ['gb', 'GB'],
    ['XX', null],
    ['T1', null],
    ['Germany', null],
    ['D;', null],
  ] as const
  for (const [n, [said, noted]] of asked.entries())
    expect([said, await countryOf(trusting.server, trusting.app, { 'cf-ipcountry': said }, n)]).toEqual([said, noted])

  const strict = await start({ ...proxied, GATEHOUSE_TRUST_PROXY: '10.0.0.0/8' })
  expect(await countryOf(strict.server, strict.app, { 'cf-ipcountry': 'DE' }, 1)).toBeNull()
  const unnamed = await start({ GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' })
  expect(await countryOf(unnamed.server, unnamed.app, { 'cf-ipcountry': 'DE' }, 1)).toBeNull()
})

test('without any setting, public IPv4 addresses have the country of the table that comes along', async () => {
  const { server, app } = await start({ GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' })
  const from = (ip: string, n: number) => countryOf(server, app, { 'x-forwarded-for': ip }, n)
  expect(await from('8.8.8.8', 1)).toBe('US')
  expect(await from('77.88.8.8', 2)).toBe('RU')
  expect(await from('46.4.1.1', 3)).toBe('DE')
  for (const [n, ip] of ['10.1.2.3', '203.0.113.9', '100.64.1.1', '2001:db8::1', '::1', 'fd00::1'].entries())
    expect([ip, await from(ip, 10 + n)]).toEqual([ip, null])
})

test('a database of the operator is asked in place of that table, in the forms that publishers write', async () => {
  const file = writeMmdb(join(folder(), 'own.mmdb'), {
    '81.2.69.0/24': { country: { iso_code: 'GB' } },
    '81.2.70.0/24': { country_code: 'se' },
    '81.2.71.0/24': { country: 'FR' },
    '81.2.72.0/24': { country_code: 'EU' },
    '10.0.0.0/8': { country_code: 'DE' },
  })
  const { server, app } = await start({ GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_GEO_DATABASE: file })
  const from = (ip: string, n: number) => countryOf(server, app, { 'x-forwarded-for': ip }, n)
  expect(await from('81.2.69.7', 1)).toBe('GB')
  expect(await from('81.2.70.7', 2)).toBe('SE')
  expect(await from('81.2.71.7', 3)).toBe('FR')
  for (const [n, ip] of ['81.2.72.7', '8.8.8.8', '10.1.1.1', '2a02:6b8::1'].entries())
    expect([ip, await from(ip, 10 + n)]).toEqual([ip, null])

  const off = await start({ GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_GEO_DATABASE: 'off' })
  expect(await countryOf(off.server, off.app, { 'x-forwarded-for': '8.8.8.8' }, 1)).toBeNull()
})

test('a database that is missing, damaged or of something else stops the start with one line', () => {
  const at = folder()
  const good = readFileSync(writeMmdb(join(at, 'good.mmdb'), { '81.2.69.0/24': { country: { iso_code: 'GB' } } }))
  const files: [string, Buffer | undefined, string][] = [
    ['missing', undefined, 'cannot be read (ENOENT)'],
    ['empty', Buffer.alloc(0), 'is not a database'],
    ['text', Buffer.from('<html>please sign in</html>'), 'is not a database'],
    ['short', good.subarray(0, good.length - 40), 'is not a database'],
    ['headless', good.subarray(good.length - 150), 'is not a database'],
  ]
  for (const [name, bytes, says] of files) {
    const file = join(at, name)
    if (bytes) writeFileSync(file, bytes)
    const open = () => createGeo(file, () => undefined)
    expect(open, name).toThrow(ConfigError)
    expect(open, name).toThrow(
      new RegExp(`^GATEHOUSE_GEO_DATABASE names ${file}, which ${says.replace(/[()]/g, '\\$&')}.*; for example`),
    )
  }
  const asn = writeMmdb(join(at, 'asn.mmdb'), { '81.2.69.0/24': { autonomous_system_number: 1 } }, 'GeoLite2-ASN')
  expect(() => createGeo(asn, () => undefined)).toThrow('which holds no countries (GeoLite2-ASN)')
})

test('people find both in what is held on them', async () => {
  const { server, app } = await start()
  const headers = { 'user-agent': android, 'cf-ipcountry': 'PT' }
  const { body } = await signInWithTelegram(server, app, alice, headers)
  const expected = { device: android, deviceKind: 'telegram_android', country: 'PT' }
  const own = await call(server, 'GET', '/v1/me/sessions', { token: body['accessToken'] })
  expect(own.body['items']).toMatchObject([expected])
  const held = await call(server, 'GET', '/v1/me/export', { token: body['accessToken'] })
  expect(held.body['sessions']).toMatchObject([expected])
})

test('the details of a session take its user agent apart', async () => {
  const { server, app, token } = await start()
  const { body } = await signInWithTelegram(server, app, alice, { 'user-agent': android, 'cf-ipcountry': 'PT' })
  const shown = await call(server, 'GET', `/api/v1/sessions/${body['session'].id}`, { token })
  expect(shown.body['session']).toMatchObject({
    device: android,
    deviceKind: 'telegram_android',
    country: 'PT',
    agent: { browser: 'Chrome WebView 141', os: 'Android 14', model: 'Samsung SM-S921B' },
  })
})

test('sessions from before either was noted are listed after the upgrade, as unknown', async () => {
  const databaseUrl = await olderDatabase('0010_list_indexes')
  const before = await startServer({ databaseUrl, keep: true })
  const app = await before.createApp()
  await before.stop()
  const at = (time: string) => (dialect === 'sqlite' ? String(Date.parse(time)) : `'${time}'`)
  const [then, later] = [at('2026-06-01T11:00:00Z'), at('2026-07-01T11:00:00Z')]
  const hash = dialect === 'sqlite' ? "x'00'" : "'\\\\x00'"
  const session = (seat: number, ended: string | null) =>
    `insert into sessions (app_id, user_id, identity_id, seat, method, user_agent, created_at, last_active_at, active_minute,
       expires_at, ended_at, end_reason, refresh_hash, refresh_expires_at, refresh_generation)
     values (${app.id}, 1, 1, ${seat}, 'telegram', '${iphone}', ${then}, ${then}, ${Date.parse('2026-06-01T11:00:00Z') / 60_000},
       ${later}, ${ended}, ${ended && "'logout'"}, ${hash}, ${later}, 0)`
  await execute(databaseUrl, [
    `insert into users (app_id, created_at) values (${app.id}, ${then})`,
    ...[session(0, then), session(0, then), session(0, null), session(1, null)],
  ])
  expect(await migrate(databaseUrl)).toBeGreaterThan(0)
  const server = await startServer({ databaseUrl })
  const token = await operatorToken(server)
  const count = async (query: string) =>
    (await call(server, 'GET', `/api/v1/sessions?${query}`, { token })).body['items'].length as number
  expect(await count('device=unknown&country=unknown')).toBe(4)
  expect(await count('device=unknown&status=active')).toBe(2)
  expect(await count('device=ios')).toBe(0)
  // Their last use is found again too: it was noted by the minute then.
  const moment = '2026-06-01T11:00:00.000Z'
  expect(await count(`sort=-lastActiveAt&activeFrom=${moment}&activeTo=${moment}`)).toBe(4)
  expect(await count('activeFrom=2026-06-01T11:00:00.001Z')).toBe(0)
  const { body } = await call(server, 'GET', '/api/v1/sessions', { token })
  expect(body['items']).toMatchObject(Array(4).fill({ device: iphone, deviceKind: 'unknown', country: null }))
  const rows = await server.runtime.db.select({ id: sessions.id, seat: sessions.seat }).from(sessions)
  expect(rows.map(({ id, seat }) => [id, seat]).sort()).toEqual([
    [1, -1],
    [2, -2],
    [3, 0],
    [4, 1],
  ])
})
