import Sqlite from 'better-sqlite3'
import { bounds } from '../server/stats/latency.ts'
import { STEPS } from '../server/stats/figures.ts'

/** What a year of sign-ins leaves behind: so many minutes, hours and days are kept (retention/settings.ts). */
const KEPT = { 1: 3 * 1440, 60: 400 * 24, 1440: 400 } as const
const MINUTES_A_YEAR = 525_600

/** Of a thousand sign-ins of an app. */
const ofApp: Record<string, number> = {
  'signin.telegram.ok': 700,
  'signin.ton.ok': 200,
  'signin.sso.ok': 100,
  'signin.telegram.invalid_signature': 9,
  'signin.telegram.login_expired': 21,
  'signin.ton.invalid_signature': 4,
  'signin.ton.nonce_invalid': 12,
  'signin.sso.sso_token_rejected': 6,
  'signin.sso.sso_upstream_timeout': 2,
  'signin.telegram.rate_limited': 5,
  'nonce.ok': 260,
  'user.created': 80,
  'ended.limit_exceeded': 610,
  'ended.logout': 120,
  'ended.idle_timeout': 240,
  'ended.revoked_by_operator': 1,
}

/** Of the installation: times of calls in their buckets, and one revocation a minute. */
const ofAll: Record<string, number> = {
  ...Object.fromEntries(bounds.map((_, at) => [`call.${String(at).padStart(2, '0')}`, 400])),
  ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((at) => [`revocation.0${at}`, 3])),
}

/** Fills the roll-ups as a year with so many sign-ins over so many apps leaves them. Returns how many rows that are. */
export function fillFigures(file: string, apps: number[], signIns: number): number {
  const db = new Sqlite(file)
  db.exec('create temp table kinds (app integer, name text, share real)')
  const kind = db.prepare('insert into kinds values (?, ?, ?)')
  for (const app of apps) for (const [name, n] of Object.entries(ofApp)) kind.run(app, name, n / 1000 / apps.length)
  for (const [name, n] of Object.entries(ofAll)) kind.run(0, name, n / 1000)
  const now = Math.floor(Date.now() / 60_000)
  const insert = db.prepare(`
    with recursive past(at) as (select ? union all select at + 1 from past where at < ?)
    insert into figures (step, at, app_id, name, n)
    select ?, at, app, name, max(1, cast(share * ? as integer)) from past, kinds where true
    on conflict do nothing`)
  let rows = 0
  for (const step of STEPS) {
    const last = Math.floor(now / step)
    rows += insert.run(last - KEPT[step], last, step, (signIns / MINUTES_A_YEAR) * step).changes
  }
  db.close()
  return rows
}
