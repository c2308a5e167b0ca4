import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Announcement } from './target.ts'

const SIGN_INS = 10_000_000
const ROUNDS = 15
const WANTED_MS = 50
const HOUR_MS = 3_600_000

const spans = { 'an hour': 1, 'a day': 24, 'a week': 168, 'a month': 720, 'a year': 8_760 }

/**
 * `node bench/overview.ts`: how long the overview's figures take after a year with ten million sign-ins, over ten apps: what the console asks for with each range,
 * and what Prometheus asks for. One at a time, the median and the slowest of fifteen.
 */
export async function benchOverview(): Promise<void> {
  const child = fork(new URL('./targets/gatehouse.ts', import.meta.url), {
    execPath: process.execPath,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [{ url, operatorToken, appId }] = (await once(child, 'message')) as [
    Announcement & { operatorToken: string; appId: string },
  ]
  child.send({ figures: SIGN_INS })
  const [{ rows }] = (await once(child, 'message')) as [{ rows: number }]
  console.log(`a year with ${SIGN_INS.toLocaleString('en')} sign-ins: ${rows.toLocaleString('en')} rows of figures`)

  const since = (hours: number) => new Date(Date.now() - hours * HOUR_MS).toISOString()
  const paths: Record<string, string> = { 'overview, first figures': '/api/v1/stats' }
  for (const [name, hours] of Object.entries(spans)) {
    paths[`overview, ${name}`] = `/api/v1/stats/series?from=${since(hours)}`
    paths[`overview of one app, ${name}`] = `/api/v1/stats/series?appId=${appId}&from=${since(hours)}`
  }
  paths['/metrics'] = '/metrics'
  for (const [name, path] of Object.entries(paths)) {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now()
      const response = await fetch(url + path, { headers: { authorization: `Bearer ${operatorToken}` } })
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
      await response.arrayBuffer()
      times.push(performance.now() - began)
    }
    times.sort((a, b) => a - b)
    const [middle, slowest] = [times[ROUNDS >> 1]!, times.at(-1)!]
    const mark = middle < WANTED_MS ? '✓' : '✗'
    console.log(`${mark} ${name.padEnd(40)} ${middle.toFixed(1).padStart(7)} ms, slowest ${slowest.toFixed(1)} ms`)
  }
  child.kill('SIGKILL')
}

if (import.meta.main) await benchOverview()
