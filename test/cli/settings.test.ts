import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { emptyDatabase, freshDatabase } from '../support/database.ts'
import { environment, gatehouse } from '../support/process.ts'
import { startSmtp } from '../support/smtp.ts'
import { botToken } from '../support/telegram.ts'

const newFolder = () => mkdtempSync(join(tmpdir(), 'gatehouse-settings-'))

let files = 0
function fileOf(text: string): string {
  const path = join(tmpdir(), `gatehouse-cli-${process.pid}-${files++}.yaml`)
  writeFileSync(path, text)
  return path
}

const declared = fileOf(`
apps:
  - slug: ton-quest
    name: Ton Quest
    audiences: [ton-quest-api]
    sessionPolicy: { maxConcurrentSessions: 3, idleTimeout: 3600 }
    telegram: { botToken: { env: QUEST_BOT_TOKEN }, maxAge: 600 }
    ton: { domains: [quest.example.com] }
  - slug: shop
    name: Shop
`)

test('help names every command', async () => {
  const { code, stdout } = await gatehouse({ PATH: '' }, ['--help'])
  expect(code).toBe(0)
  for (const command of [
    ...['serve', 'migrate', 'operator', 'apply', 'export'],
    ...['backup', 'restore', 'doctor', 'keys', 'verify'],
  ])
    expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
})

test.each([
  ['PORT', '99999'],
  ['HOST', '203.0.113.7'],
  ['DATABASE_URL', 'file:/etc/hostname/x.db'],
  ['GATEHOUSE_DATA_DIR', '/etc/hostname'],
  ['GATEHOUSE_SECRET_KEY', 'c2hvcnQ='],
  ['GATEHOUSE_COUNTRY_HEADER', 'CF IPCountry'],
  ['GATEHOUSE_GEO_DATABASE', '/etc/hostname'],
])('%s=%s stops the start with one line and exit code 2', async (name, value) => {
  const settings = { PATH: '', DATABASE_URL: await emptyDatabase(), GATEHOUSE_DATA_DIR: newFolder(), PORT: '0' }
  const { code, stdout, stderr } = await gatehouse({ ...settings, [name]: value }, ['serve'])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(new RegExp(`^gatehouse: ${name} .+; for example ${name}=.+\n$`))
  if (name.includes('SECRET')) expect(stderr).not.toContain(value)
})

test('what is kept on disk is for whoever runs it alone', async () => {
  const folder = join(newFolder(), 'a', 'data')
  const { code } = await gatehouse({ PATH: '', GATEHOUSE_DATA_DIR: folder }, ['migrate'])
  expect(code).toBe(0)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test('apply creates, then changes nothing, then says which member it changes', async () => {
  const env = environment(await emptyDatabase(), { QUEST_BOT_TOKEN: botToken })
  const apply = async (file: string, ...more: string[]) => {
    const { code, stderr, json } = await gatehouse(env, ['apply', '-f', file, '--json', ...more])
    expect([code, stderr]).toEqual([0, ''])
    return json().apps.map(({ result, changed }: any) => [result, ...changed])
  }
  expect(await apply(declared)).toEqual([['created'], ['created']])
  expect(await apply(declared)).toEqual([['unchanged'], ['unchanged']])
  const change = fileOf('{"apps": [{"slug": "ton-quest", "name": "Quest", "telegram": {"maxAge": 60}}]}')
  expect(await apply(change, '--dry-run')).toEqual([['updated', 'name', 'telegram.maxAge']])
  expect(await apply(change)).toEqual([['updated', 'name', 'telegram.maxAge']])
  expect(await apply(change)).toEqual([['unchanged']])

  const lines = await gatehouse(env, ['apply', '-f', declared])
  expect(lines.stdout).toBe('updated    ton-quest: name, telegram.maxAge\nunchanged  shop\n')
})

test('a file with faults is refused as a whole, every fault with its path', async () => {
  const env = environment(await freshDatabase())
  const file = fileOf(`
apps:
  - { slug: fine, name: Fine }
  - { slug: Shop!, name: Shop, colour: red }
  - { slug: fine, name: Again, sessionPolicy: { idleTimeout: 1, lifetime: 5 } }
  - { slug: bot, name: Bot, telegram: { botToken: { env: NOT_SET } } }
more: 1
`)
  const { code, stdout, stderr } = await gatehouse(env, ['apply', '-f', file])
  expect([code, stdout]).toEqual([1, ''])
  for (const path of [
    ...['apps[1].slug', 'apps[1].colour', 'apps[2].sessionPolicy.idleTimeout', 'apps[2].sessionPolicy.lifetime'],
    ...['apps[3].telegram.botToken', 'more'],
  ])
    expect(stderr).toContain(`  ${path}: `)
  expect(stderr).toContain('NOT_SET')
  expect((await gatehouse(env, ['export', '--json'])).json()).toEqual({ apps: [] })

  const broken = await gatehouse(env, ['apply', '-f', fileOf('apps: [')])
  expect([broken.code, broken.stderr.split('\n').length]).toEqual([1, 2])
})

test('what export writes, apply takes and changes nothing; elsewhere it makes the same apps', async () => {
  const env = environment(await freshDatabase(), { QUEST_BOT_TOKEN: botToken })
  await gatehouse(env, ['apply', '-f', declared])
  const [yaml, json] = [(await gatehouse(env, ['export'])).stdout, (await gatehouse(env, ['export', '--json'])).stdout]
  for (const text of [yaml, json]) {
    expect(text).not.toContain(botToken)
    const again = await gatehouse(env, ['apply', '-f', '-', '--json'], text)
    expect(again.json().apps.map(({ result }: any) => result)).toEqual(['unchanged', 'unchanged'])
  }
  const elsewhere = environment(await emptyDatabase())
  await gatehouse(elsewhere, ['apply', '-f', '-'], yaml)
  expect((await gatehouse(elsewhere, ['export', '--json'])).stdout).toBe(json)
})

test('an operator is made from a password on standard input, and a token is printed once', async () => {
  const env = environment(await emptyDatabase())
  const password = 'a long enough password'
  const create = ['operator', 'create', '--email', 'ada@example.com', '--role', 'owner']
  expect((await gatehouse(env, create)).code).toBe(1)
  const made = await gatehouse(env, [...create, '--password-stdin', '--json'], `${password}\n`)
  expect([made.code, made.json()]).toMatchObject([0, { email: 'ada@example.com', role: 'owner' }])
  expect((await gatehouse(env, [...create, '--password-stdin'], password)).stderr).toMatch(/^gatehouse: .+already.*\n$/)
  const short = await gatehouse(
    env,
    ['operator', 'create', '--email', 'b@example.com', '--role', 'viewer', '--password-stdin'],
    'short',
  )
  expect([short.code, short.stderr]).toEqual([1, expect.stringContaining('password')])

  const token = await gatehouse(env, ['operator', 'token', '--email', 'ADA@example.com', '--name', 'deploy'])
  expect(token.stdout).toMatch(/^gh_op_[\w-]{64}\n$/)
  expect((await gatehouse(env, ['operator', 'token', '--email', 'no@example.com', '--name', 'x'])).code).toBe(1)
})

test('doctor is content with a fresh installation and says what is wrong with a bad one', async () => {
  const empty = await emptyDatabase()
  const env = environment(empty)
  expect((await gatehouse(env, ['doctor'])).code).toBe(1)
  await gatehouse(env, ['apply', '-f', '-'], '{"apps": [{"slug": "a", "name": "A"}]}')
  const well = await gatehouse(env, ['doctor', '--json'])
  expect(well.json()).toMatchObject({ ok: true })
  expect(well.code).toBe(0)
  expect(well.json().checks.map(({ check }: any) => check)).toEqual([
    ...['configuration', 'public URL', 'migrations', 'database', 'clock'],
    ...['secret key', 'signing keys', 'audit log', 'mail', 'TON API'],
  ])
  const ill = await gatehouse(
    {
      ...env,
      GATEHOUSE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
      GATEHOUSE_PUBLIC_URL: 'http://auth.example.com',
    },
    ['doctor'],
  )
  expect(ill.code).toBe(1)
  expect(ill.stdout.match(/^✗ .{14}/gm)?.map((line) => line.slice(2).trim())).toEqual(['public URL', 'secret key'])
  const doubtful = await gatehouse({ ...env, GATEHOUSE_TRUST_PROXY: '0.0.0.0/0' }, ['doctor', '--json'])
  expect([doubtful.code, doubtful.json().checks[0]]).toMatchObject([
    1,
    { check: 'configuration', ok: false, detail: expect.stringContaining('GATEHOUSE_TRUST_PROXY') },
  ])
  const nowhere = await gatehouse({ ...env, PORT: 'x' }, ['doctor', '--json'])
  expect([nowhere.code, nowhere.json().checks[0]]).toMatchObject([1, { check: 'configuration', ok: false }])
})

test('doctor asks the mail server', async () => {
  const env = environment(await freshDatabase())
  const { url, stop } = await startSmtp()
  const mail = async () => {
    const { code, json } = await gatehouse({ ...env, SMTP_URL: url }, ['doctor', '--json'])
    return { code, ...json().checks.find(({ check }: { check: string }) => check === 'mail') }
  }
  expect(await mail()).toMatchObject({ code: 0, ok: true })
  await stop()
  expect(await mail()).toMatchObject({ code: 1, ok: false, detail: expect.stringMatching(/does not take mail: ./) })
})

test('a wrong call is JSON too where JSON was asked for, and a token has a name of a sensible length', async () => {
  const env = environment(await freshDatabase())
  const password = 'a long enough password'
  const create = ['operator', 'create', '--email', 'ada@example.com', '--password-stdin', '--json']
  const wrong = await gatehouse(env, [...create, '--role', 'god'], password)
  expect([wrong.code, wrong.json().error]).toEqual([1, expect.stringContaining('god')])
  const unknown = await gatehouse(env, ['exprot', '--json'])
  expect([unknown.code, unknown.json().error]).toEqual([1, expect.stringMatching(/^unknown command 'exprot'/)])
  await gatehouse(env, [...create, '--role', 'owner'], password)
  for (const name of ['', 'x'.repeat(101)]) {
    const { code, json } = await gatehouse(env, [
      'operator',
      'token',
      '--email',
      'ada@example.com',
      '--name',
      name,
      '--json',
    ])
    expect([code, json().errors?.[0]?.path]).toEqual([1, 'name'])
  }
})

test('a file with a fault anywhere changes nothing, and one that turns in circles is refused', async () => {
  const env = environment(await freshDatabase())
  const apply = (text: string) => gatehouse(env, ['apply', '-f', '-', '--json'], text)
  const clash = '{"slug": "b", "name": "B", "sso": {"method": "GET", "tokenIn": "json:token"}}'
  const refused = await apply(`{"apps": [{"slug": "a", "name": "A"}, ${clash}]}`)
  expect([refused.code, refused.json().errors]).toEqual([
    1,
    [{ path: 'apps[1].sso.method', message: 'must be POST to send the token as json:token' }],
  ])
  expect((await gatehouse(env, ['export', '--json'])).json()).toEqual({ apps: [] })
  const circle = await apply('apps: &all [*all]')
  expect([circle.code, circle.json().error]).toEqual([1, expect.stringContaining('without an end')])
})

test('a lost or another secret key stops a start, and no new one is made', async () => {
  const env = environment(await freshDatabase())
  await gatehouse(env, ['keys', 'rotate'])
  const lost = await gatehouse({ ...env, GATEHOUSE_DATA_DIR: join(env['GATEHOUSE_DATA_DIR']!, 'other') }, ['serve'])
  expect([lost.code, lost.stderr]).toEqual([2, expect.stringMatching(/^gatehouse: GATEHOUSE_SECRET_KEY .+\n$/)])
  const other = await gatehouse({ ...env, GATEHOUSE_SECRET_KEY: Buffer.alloc(32, 9).toString('base64') }, ['serve'])
  expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/^gatehouse: GATEHOUSE_SECRET_KEY .+\n$/)])
})

test('a second rotation of keys in a row says that verifiers may not know the new key yet', async () => {
  const env = environment(await freshDatabase())
  const rotate = async (...more: string[]) => {
    const { code, stderr, json } = await gatehouse(env, ['keys', 'rotate', '--json', ...more])
    expect([code, stderr]).toEqual([0, ''])
    return json()['warning'] as string | null
  }
  expect(await rotate()).toBeNull()
  expect(await rotate('--reason', 'the key leaked')).toMatch(/^Verifiers .+ may not know this key before \d{4}-/)
})
