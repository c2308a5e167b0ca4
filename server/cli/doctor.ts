import { accessSync, constants, existsSync } from 'node:fs'
import { ConfigError, type Config } from '../config.ts'
import type { Database } from '../db/database.ts'
import { print, readConfig, type Output } from './context.ts'

/** What one look found; undefined is a note that is neither good nor bad. */
type Finding = { check: string; ok: boolean | undefined; detail: string }

const MOST_CLOCK_DRIFT_MS = 5_000

/** Looks at everything a working installation needs, and changes nothing. */
export async function doctor(output: Output): Promise<void> {
  const findings = await examine()
  const ok = findings.every((finding) => finding.ok !== false)
  print(
    output,
    { ok, checks: findings },
    findings.map(({ check, ok, detail }) => `${ok === undefined ? '·' : ok ? '✓' : '✗'} ${check.padEnd(14)} ${detail}`),
  )
  process.exitCode = ok ? 0 : 1
}

async function examine(): Promise<Finding[]> {
  let config: Config
  try {
    config = readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [{ check: 'configuration', ok: false, detail: error.message }]
  }
  return [
    await settings(config),
    publicUrl(config),
    ...(await examineDatabase(config)),
    await mail(config),
    ton(config),
  ]
}

async function settings(config: Config): Promise<Finding> {
  const { doubts } = await import('../doubts.ts')
  const [doubt] = doubts(config)
  const detail = doubt ?? `serves ${config.publicUrl} on ${config.host}:${config.port}`
  return { check: 'configuration', ok: !doubt, detail }
}

function publicUrl({ publicUrl: url }: Config): Finding {
  const safe = url.startsWith('https:') || /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(url)
  return {
    check: 'public URL',
    ok: safe,
    detail: safe ? url : `${url} is not https; set GATEHOUSE_PUBLIC_URL to the https address that people use`,
  }
}

async function mail(config: Config): Promise<Finding> {
  const { createSmtp } = await import('../email/smtp.ts')
  const smtp = createSmtp(config)
  if (!smtp) return { check: 'mail', ok: undefined, detail: 'SMTP_URL is not set: mails stay in the outbox' }
  const fault = await smtp.verify()
  smtp.close()
  const { host } = new URL(config.smtpUrl!)
  return { check: 'mail', ok: !fault, detail: fault ? `${host} does not take mail: ${fault}` : `goes through ${host}` }
}

function ton({ tonApi }: Config): Finding {
  const detail = tonApi
    ? `${new URL(tonApi.url).host}, ${tonApi.key ? 'with' : 'without'} a key`
    : 'TON_API_URL is not set: wallets must send their state init, and balances are not shown'
  return { check: 'TON API', ok: tonApi ? true : undefined, detail }
}

async function examineDatabase(config: Config): Promise<Finding[]> {
  const [{ pendingMigrations }, { openDatabase, sqliteFile }] = await Promise.all([
    import('../db/migrate.ts'),
    import('../db/open.ts'),
  ])
  const file = /^postgres/.test(config.databaseUrl) ? undefined : sqliteFile(config.databaseUrl)
  if (file !== undefined && !existsSync(file))
    return [{ check: 'database', ok: false, detail: `there is no ${file} yet; gatehouse serve or migrate makes it` }]

  const findings: Finding[] = []
  const look = async (check: string, work: () => Promise<Omit<Finding, 'check'>>) => {
    findings.push({ check, ...(await work().catch(faulty)) })
    return findings.at(-1)!.ok === true
  }

  const current = await look('migrations', async () => {
    const due = await pendingMigrations(config.databaseUrl)
    return { ok: due === 0, detail: due === 0 ? 'up to date' : `${due} to apply; run: gatehouse migrate` }
  })
  let db: Database
  try {
    // Opening an SQLite file for writing would fail later, in the middle of the checks.
    if (file !== undefined) accessSync(file, constants.R_OK | constants.W_OK)
    db = openDatabase(config.databaseUrl)
  } catch (error) {
    return [...findings, { check: 'database', ...(await faulty(error)) }]
  }
  try {
    await look('database', () => db.check())
    await look('clock', async () => checkClock(db))
    if (current) {
      await look('secret key', () => checkSecrets(config, db))
      await look('signing keys', () => checkSigningKeys(db))
      await look('audit log', () => checkAudit(db))
    }
  } finally {
    await db.close()
  }
  return findings
}

async function faulty(error: unknown): Promise<Omit<Finding, 'check'>> {
  const { describeFault } = await import('../fault.ts')
  return { ok: false, detail: describeFault(error) ?? (error as Error).message }
}

async function checkClock(db: Database): Promise<Omit<Finding, 'check'>> {
  const { now } = await db.check()
  const here = new Date()
  // A clock that stands before this was written was never set.
  if (here.getTime() < Date.UTC(2026, 0)) return { ok: false, detail: `it is not ${here.toISOString()}; set the clock` }
  if (!now) return { ok: true, detail: here.toISOString() }
  const drift = Math.abs(here.getTime() - now.getTime())
  if (drift <= MOST_CLOCK_DRIFT_MS) return { ok: true, detail: `${here.toISOString()}, the database server agrees` }
  const seconds = Math.round(drift / 1000)
  return { ok: false, detail: `differs from the database server's by ${seconds} s; let NTP set both clocks` }
}

/** Opens something of each kind that is sealed. */
async function checkSecrets(config: Config, db: Database): Promise<Omit<Finding, 'check'>> {
  const [{ hasSecretKey, secretKey }, { createVault }, { listKeys }, { listAllApps }] = await Promise.all([
    import('../secret/secretKey.ts'),
    import('../secret/vault.ts'),
    import('../token/store.ts'),
    import('../app/store.ts'),
  ])
  const [keys, apps] = [await listKeys(db), await listAllApps(db)]
  if (!hasSecretKey(config)) {
    const sealed = keys.length + apps.length > 0
    const detail = sealed
      ? `is missing: set GATEHOUSE_SECRET_KEY or put ${config.dataDir}/secret.key back`
      : 'the first start makes one'
    return { ok: sealed ? false : undefined, detail }
  }
  const vault = createVault(secretKey(config))
  try {
    for (const key of keys) vault.open(key.privateSealed, 'signing_keys.private')
    for (const app of apps) vault.open(app.secretsSealed, 'apps.secrets')
  } catch {
    return { ok: false, detail: 'does not open what this database holds; use the key it was written under' }
  }
  return { ok: true, detail: `opens ${keys.length} signing key(s) and the secrets of ${apps.length} app(s)` }
}

async function checkSigningKeys(db: Database): Promise<Omit<Finding, 'check'>> {
  const { listPublishedKeys } = await import('../token/store.ts')
  const states = (await listPublishedKeys(db, new Date())).map((key) => key.state)
  if (states.length === 0) return { ok: undefined, detail: 'the first start makes them' }
  const ok = states.includes('active') && states.includes('next')
  return { ok, detail: ok ? `${states.length} published` : `only ${states.join(', ')}; run: gatehouse keys rotate` }
}

async function checkAudit(db: Database): Promise<Omit<Finding, 'check'>> {
  const { verifyAudit } = await import('../operator/audit.ts')
  const { ok, entries, brokenAt } = await verifyAudit(db)
  return { ok, detail: ok ? `${entries} entries, none changed` : `was changed at or before entry ${brokenAt}` }
}
