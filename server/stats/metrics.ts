import { Counter, Gauge, Registry, collectDefaultMetrics, type Metric } from 'prom-client'
import type { Runtime } from '#server/runtime.ts'
import { lastCensus } from './census.ts'
import { bounds } from './latency.ts'

/** A figure's name taken apart, and the metric it belongs to. */
const counters = [
  {
    name: 'gatehouse_sign_ins_total',
    help: 'Tries to sign in',
    like: /^signin\.(\w+)\.(\w+)$/,
    labels: ['method', 'outcome'],
  },
  { name: 'gatehouse_nonces_total', help: 'Nonces asked for', like: /^nonce\.(\w+)$/, labels: ['outcome'] },
  { name: 'gatehouse_sessions_ended_total', help: 'Sessions that ended', like: /^ended\.(\w+)$/, labels: ['reason'] },
  {
    name: 'gatehouse_deliveries_total',
    help: 'Tries to deliver an event to an endpoint or a person',
    like: /^delivery\.(\w+)$/,
    labels: ['outcome'],
  },
  { name: 'gatehouse_mails_total', help: 'What became of mails', like: /^mail\.(\w+)$/, labels: ['outcome'] },
  { name: 'gatehouse_users_created_total', help: 'New users', like: /^user\.created$/, labels: [] },
] as const

const histograms = [
  {
    name: 'gatehouse_call_duration_seconds',
    help: 'Time of public calls; at high rates one in eight',
    prefix: 'call.',
  },
  {
    name: 'gatehouse_revocation_seconds',
    help: 'From the order to end a session until it is refused',
    prefix: 'revocation.',
  },
] as const

/** What this process has counted since it started, for Prometheus; names and meaning in docs/metrics.md. */
export function createMetrics(runtime: Runtime): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const { name, help, like, labels } of counters) {
    const counter = new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect() {
        counter.reset()
        for (const [figure, { n }] of runtime.figures.totals()) {
          const values = like.exec(figure)?.slice(1)
          if (values) counter.inc(Object.fromEntries(labels.map((label, place) => [label, values[place]!])), n)
        }
      },
    })
  }
  for (const { name, help, prefix } of histograms)
    registry.registerMetric(histogram(name, help, () => countsOf(runtime, prefix)))

  const live: Gauge = new Gauge({
    name: 'gatehouse_live_sessions',
    help: 'Live sessions, counted once a minute',
    registers: [registry],
    collect() {
      live.set([...(lastCensus(runtime)?.live.values() ?? [])].reduce((sum, n) => sum + n, 0))
    },
  })
  const blocks: Gauge = new Gauge({
    name: 'gatehouse_blocks',
    help: 'Blocks and allowances that hold',
    registers: [registry],
    collect() {
      blocks.set(runtime.traffic.lists().size)
    },
  })
  const found = new Counter({
    name: 'gatehouse_findings_total',
    help: 'Findings of the traffic watch',
    labelNames: ['detector'],
    registers: [registry],
    collect() {
      found.reset()
      for (const [detector, n] of runtime.traffic.found()) found.inc({ detector }, n)
    },
  })
  return registry
}

function countsOf(runtime: Runtime, prefix: string): number[] {
  const counts = new Array<number>(bounds.length + 1).fill(0)
  for (const [figure, { n }] of runtime.figures.totals())
    if (figure.startsWith(prefix)) counts[Number(figure.slice(prefix.length))]! += n
  return counts
}

/** A histogram of what was put into buckets already, which prom-client's own cannot be set to. */
function histogram(name: string, help: string, counts: () => number[]): Metric {
  const get = () => {
    let sum = 0
    let seconds = 0
    const values = counts().map((n, place) => {
      sum += n
      const bound = bounds[place]
      seconds += n * ((bound ?? bounds.at(-1)!) / 1000)
      return { metricName: `${name}_bucket`, labels: { le: bound === undefined ? '+Inf' : bound / 1000 }, value: sum }
    })
    return Promise.resolve({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [
        ...values,
        { metricName: `${name}_sum`, labels: {}, value: seconds },
        { metricName: `${name}_count`, labels: {}, value: sum },
      ],
    })
  }
  return { name, help, get } as unknown as Metric
}
