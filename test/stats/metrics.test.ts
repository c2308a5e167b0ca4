import { readFileSync } from 'node:fs'
import { parser } from '@prometheus-io/lezer-promql'
import parseText from 'parse-prometheus-text-format'
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startServer } from '../support/server.ts'

type Family = { name: string; help: string; type: string; metrics: Sample[] }
type Sample = {
  value?: string
  labels?: Record<string, string>
  buckets?: Record<string, string>
  count?: string
  sum?: string
}

let text = ''
let families: Family[] = []
let counted: Record<string, Record<string, string>> = {}

beforeAll(async () => {
  const server = await startServer({ keep: true })
  const { figures } = server.runtime
  // One of everything that is ever counted.
  const names = [
    ...['signin.telegram.ok', 'signin.ton.invalid_signature', 'nonce.ok', 'ended.logout', 'user.created'],
    ...['delivery.delivered', 'delivery.failed', 'mail.sent', 'mail.bounced', 'mail.put_off'],
    ...['call.0', 'call.3', 'call.5', 'revocation.2'],
  ]
  for (const name of names) figures.count(1, name)
  text = await (await fetch(`${server.url}/metrics`)).text()
  await server.stop()
  families = parseText(text) as Family[]
  counted = Object.fromEntries(
    families.flatMap(({ name, metrics }) => metrics.map(({ labels = {}, value = '' }) => [name, { ...labels, value }])),
  )
})

test('what Prometheus reads is well formed: each name once, with help and type, counters named so', () => {
  const own = families.filter(({ name }) => name.startsWith('gatehouse_'))
  expect(own.map(({ name }) => name).toSorted()).toEqual([
    'gatehouse_blocks',
    'gatehouse_call_duration_seconds',
    'gatehouse_deliveries_total',
    'gatehouse_findings_total',
    'gatehouse_live_sessions',
    'gatehouse_mails_total',
    'gatehouse_nonces_total',
    'gatehouse_revocation_seconds',
    'gatehouse_sessions_ended_total',
    'gatehouse_sign_ins_total',
    'gatehouse_users_created_total',
  ])
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length)
  expect(text.endsWith('\n')).toBe(true)
  for (const { name, help, type, metrics } of own) {
    expect(help, name).toMatch(/\S/)
    expect(name, name).toMatch(type === 'COUNTER' ? /_total$/ : /^(?!.*_total$)/)
    for (const { value, labels } of metrics) {
      if (type !== 'HISTOGRAM') expect(Number(value), name).toBeGreaterThanOrEqual(0)
      for (const label of Object.keys(labels ?? {})) expect(label).toMatch(/^[a-z_]+$/)
    }
  }
  expect(counted['gatehouse_deliveries_total']).toBeDefined()
})

test('buckets of a histogram only grow, the last is all, and the sum fits', () => {
  const histograms = families.filter(({ type, name }) => type === 'HISTOGRAM' && name.startsWith('gatehouse_'))
  expect(histograms).toHaveLength(2)
  for (const { name, metrics } of histograms) {
    const [{ buckets, count, sum } = {}] = metrics
    // An object gives its whole numbers first.
    const bounds = Object.keys(buckets ?? {}).sort(
      (a, b) => Number(a.replace('+Inf', 'Infinity')) - Number(b.replace('+Inf', 'Infinity')),
    )
    const sizes = bounds.map((bound) => Number(buckets![bound]))
    expect(bounds.at(-1), name).toBe('+Inf')
    expect(sizes, name).toEqual(sizes.toSorted((a, b) => a - b))
    expect(sizes.at(-1), name).toBe(Number(count))
    expect(Number(sum), name).toBeGreaterThan(0)
  }
})

test('dashboard and alerts are PromQL over metrics and labels that there are', () => {
  const dashboard = JSON.parse(readFileSync('docs/grafana/dashboard.json', 'utf8')) as {
    panels: { targets?: { expr: string }[] }[]
  }
  const alerts = parse(readFileSync('docs/grafana/alerts.yml', 'utf8')) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string; do: string } }[] }[]
  }
  const rules = alerts.groups.flatMap((group) => group.rules)
  const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  expect([rules.length > 5, shown.length > 5]).toEqual([true, true])
  for (const { annotations } of rules) expect(annotations.do).toMatch(/\S/)

  const known = new Map<string, Set<string>>([['up', new Set(['job', 'instance'])]])
  for (const { name, type, metrics } of families) {
    const labels = new Set(metrics.flatMap((sample) => Object.keys(sample.labels ?? {})))
    if (type === 'HISTOGRAM')
      for (const end of ['_bucket', '_count', '_sum']) known.set(name + end, new Set([...labels, 'le']))
    else known.set(name, labels)
  }
  // A counter without a sample shows no labels yet.
  known.get('gatehouse_findings_total')!.add('detector')
  const used = new Set<string>()
  for (const expr of [...rules.map(({ expr }) => expr), ...shown]) {
    const { metrics, labels } = namesIn(expr)
    expect(metrics.length, expr).toBeGreaterThan(0)
    for (const metric of metrics) {
      expect([...known.keys()], expr).toContain(metric)
      used.add(metric)
    }
    const there = new Set(metrics.flatMap((metric) => [...known.get(metric)!]))
    for (const label of labels) expect([...there], `${label} in ${expr}`).toContain(label)
  }
  // And each of ours is looked at somewhere.
  for (const { name, type } of families)
    if (name.startsWith('gatehouse_'))
      expect(
        [...used].some((one) => one === name || (type === 'HISTOGRAM' && one.startsWith(name))),
        name,
      ).toBe(true)
})

/** The metrics and labels of a PromQL expression. @throws Error where it is none */
function namesIn(expr: string): { metrics: string[]; labels: string[] } {
  const written = expr.replaceAll(/\$__\w+/g, '5m')
  const [metrics, labels]: [string[], string[]] = [[], []]
  parser.parse(written).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) throw new Error(`Not PromQL at ${from}: ${expr}`)
      const name = written.slice(from, to)
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(name)
      if (type.name === 'LabelName') labels.push(name)
    },
  })
  return { metrics, labels }
}
