import { fork } from 'node:child_process'
import { once } from 'node:events'
import { drive } from './load.ts'
import { initDataOf } from './people.ts'
import type { Announcement } from './target.ts'

const PEOPLE = 4_000
const WANTED_MS = 1_000

/**
 * `node bench/revocation.ts [--quick]`, `node bench/postgres.ts revocation.ts` on PostgreSQL: how long a revoked session is still taken, as the canary of each minute measures it, some thousand times in
 * quick succession: alone, and while people sign in as fast as the server lets them.
 */
export async function benchRevocation({ quick }: { quick: boolean }): Promise<void> {
  const url = process.env['DATABASE_URL']
  const postgres = url?.startsWith('postgres') ?? false
  const child = fork(new URL('./targets/gatehouse.ts', import.meta.url), {
    execPath: process.execPath,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...(postgres && { BENCH_DATABASE_URL: url! }) },
  })
  try {
    const [hello] = (await once(child, 'message')) as [Announcement]
    const times = quick ? 200 : 2_000
    const measure = async () => {
      child.send({ revocations: times })
      const [{ took }] = (await once(child, 'message')) as [{ took: number[] }]
      return took
    }
    const engine = postgres ? 'PostgreSQL' : 'SQLite'
    tell(`revocation, ${engine}, idle`, await measure())
    let measuring = true
    const bodies = Array.from({ length: PEOPLE }, (_, n) => JSON.stringify({ initData: initDataOf(n) }))
    const headers = { 'content-type': 'application/json' }
    const call = { method: 'POST' as const, path: '/v1/apps/jwt/telegram/login', headers, bodies }
    const load = (async () => {
      const rates: number[] = []
      while (measuring) rates.push((await drive(hello.url, child.pid!, call, 5)).perSecond || 0)
      return rates
    })()
    const loaded = await measure().finally(() => (measuring = false))
    const rates = await load
    tell(
      `revocation, ${engine}, beside ${Math.round(rates.reduce((a, b) => a + b) / rates.length)} logins a second`,
      loaded,
    )
  } finally {
    child.kill('SIGKILL')
  }
}

function tell(name: string, took: number[]): void {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
  const mark = at(0.99) < WANTED_MS ? '✓' : '✗'
  const [p50, p99, most] = [at(0.5), at(0.99), at(1)].map((ms) => ms.toFixed(1))
  console.log(
    `${mark} ${name}: ${took.length} measured, p50 ${p50} ms, p99 ${p99} ms (wanted < ${WANTED_MS}), slowest ${most} ms`,
  )
}

if (import.meta.main) await benchRevocation({ quick: process.argv.includes('--quick') })
