import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

/**
 * Webhooks: how many a second reach a receiver on the same machine, with the log, the guard and full durability; how long it takes from an
 * event to the first byte at the receiver; and how much a dead endpoint with ten thousand waiting moves that for the others.
 * `node bench/webhooks.ts` runs it alone, `node bench/postgres.ts webhooks.ts` on PostgreSQL.
 */
export type WebhookRow = { name: string; value: number; unit: string; wanted: string; ok: boolean }

const CONTENT = {
  ...{ bip44: '1023', chainId: '1666600000', txnHash: '0x231', symbol: 'ONE', amount: '0.45976983' },
  ...{ walletAddress: '0xabc1', otherWallet: '0xb0', to: 'Jack', from: 'Alex' },
}

export async function benchWebhooks(options: { quick: boolean; postgres: boolean }): Promise<WebhookRow[]> {
  const backlog = options.quick ? 10_000 : 60_000
  const sink = await startSink()
  const target = await startTarget()
  const rows: WebhookRow[] = []
  const note = (name: string, value: number, unit: string, wanted: string, ok: boolean) => {
    rows.push({ name, value, unit, wanted, ok })
    console.log(`${ok ? '✓' : '✗'} ${name}: ${value} ${unit} (wanted ${wanted})`)
  }
  try {
    await ask(target.child, { endpoint: { url: `${sink.url}/fast`, types: ['txn.sent'] } })
    await ask(target.child, { endpoint: { url: `${sink.url}/timed`, types: ['txn.received'] } })
    await ask(target.child, { fill: { type: 'txn.sent', count: backlog } })
    const before = await ask(target.child, { start: true })
    const began = performance.now()
    await sink.until('/fast', backlog)
    const seconds = (performance.now() - began) / 1000
    const after = await ask(target.child, {})
    const rate = Math.round(backlog / seconds)
    const least = options.postgres ? 4_000 : 8_000
    note('deliveries a second', rate, '/s', `${least}`, rate >= least)
    const cpu = (use: Record<string, any>) => (use['cpu'].user + use['cpu'].system) as number
    console.log(`  ${((cpu(after) - cpu(before)) / backlog).toFixed(0)} µs of CPU a delivery in the server`)

    // Two rounds first that do not count: connections are opened, statements prepared, and the disk is done with what was filled in. The others are so many
    // that the time-outs of the dead endpoint, after 15 s, fall into them.
    const rounds = async () => {
      await ask(target.child, { settle: true })
      for (let n = 0; n < 2; n++) await latency(target, sink, 1_000)
      return middleOf(() => latency(target, sink, 1_000), options.quick ? 1 : 7)
    }
    const alone = await rounds()
    note('event to first byte, p99', alone, 'ms', 'under 100', alone < 100)
    await ask(target.child, { endpoint: { url: `${sink.url}/dead`, types: ['txn.swap'] } })
    await ask(target.child, { fill: { type: 'txn.swap', count: 10_000 } })
    await sink.until('/dead', 1)
    const beside = await rounds()
    const moved = Math.round((beside / alone - 1) * 100)
    note('p99 beside a dead endpoint with 10,000 waiting moves by', moved, '%', 'under 20', moved < 20)
    console.log(`  ${alone} ms alone, ${beside} ms beside it, each the median of the rounds' p99`)
  } finally {
    target.child.kill('SIGKILL')
    sink.close()
  }
  return rows
}

type Target = { child: ChildProcess; url: string; key: string; slug: string }

async function startTarget(): Promise<Target> {
  const child = fork(new URL('./targets/webhooks.ts', import.meta.url), {
    execPath: process.execPath,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`The target ended with ${String(code)} before it was ready`)
  })
  const [hello] = (await Promise.race([once(child, 'message'), died])) as [{ url: string; key: string; slug: string }]
  died.catch(() => undefined)
  return { child, ...hello }
}

async function ask(child: ChildProcess, asked: object): Promise<Record<string, any>> {
  const answered = once(child, 'message') as Promise<[Record<string, any>]>
  child.send(asked)
  return (await answered)[0]
}

/** A receiver that counts, notes when events that carry their time arrived, and on one path never answers. */
async function startSink() {
  const counts = new Map<string, number>()
  const delays: number[] = []
  let waiting: { path: string; count: number; resolve: () => void } | undefined
  const server = createServer((request, response) => {
    const path = request.url!
    const arrived = performance.timeOrigin + performance.now()
    counts.set(path, (counts.get(path) ?? 0) + 1)
    if (waiting?.path === path && counts.get(path)! >= waiting.count) waiting.resolve()
    if (path === '/dead') return void request.resume()
    if (path === '/fast') {
      request.resume()
      return void response.writeHead(204).end()
    }
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { data } = JSON.parse(body) as { data: { content: { emittedAt: number } } }
      delays.push(arrived - data.content.emittedAt)
      response.writeHead(204).end()
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    delays,
    until: (path: string, count: number) =>
      new Promise<void>((resolve) => {
        if ((counts.get(path) ?? 0) >= count) resolve()
        else waiting = { path, count, resolve }
      }),
    counts,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The median of what some rounds came to. */
async function middleOf(round: () => Promise<number>, rounds: number): Promise<number> {
  const values = []
  for (let n = 0; n < rounds; n++) values.push(await round())
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** The 99th percentile, in milliseconds, from posting an event to its arrival, at 250 events a second. */
async function latency(target: Target, sink: Awaited<ReturnType<typeof startSink>>, count: number): Promise<number> {
  sink.delays.length = 0
  const already = sink.counts.get('/timed') ?? 0
  const arrived = sink.until('/timed', already + count)
  for (let n = 0; n < count; n++) {
    const emittedAt = performance.timeOrigin + performance.now()
    void fetch(`${target.url}/v1/apps/${target.slug}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${target.key}` },
      body: JSON.stringify({ type: 'txn.received', user: `u${n}`, content: { ...CONTENT, emittedAt } }),
    }).then((response) => response.arrayBuffer())
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
  await arrived
  const sorted = sink.delays.toSorted((a, b) => a - b)
  if (process.env['SPREAD'])
    console.log([0.1, 0.5, 0.9, 0.95, 0.99].map((q) => sorted[Math.floor(sorted.length * q)]!.toFixed(1)))
  return Math.round(sorted[Math.floor(sorted.length * 0.99)]! * 10) / 10
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rows = await benchWebhooks({
    quick: process.argv.includes('--quick'),
    postgres: /^postgres/.test(process.env['DATABASE_URL'] ?? ''),
  })
  process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1
}
