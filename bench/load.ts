import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'

export type Measured = { perSecond: number; cpuMicros: number; p99: number; failed: number }

type Call = {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  bodies?: string[]
  tokens?: string[]
  once?: boolean
}

/**
 * Drives one target with 64 connections for some seconds. With `bodies` or `tokens` each request takes the next; `once` stops when
 * each was sent once. CPU time is the target process's own, read from the kernel.
 */
export async function drive(url: string, pid: number, call: Call, seconds: number): Promise<Measured> {
  let next = 0
  const { bodies, tokens } = call
  const before = cpuOf(pid)
  const began = performance.now()
  let last = began
  const result = await autocannon({
    url: url + call.path,
    connections: 64,
    // autocannon looks whether it is done once a second; the last answer tells when it was.
    setupClient(client) {
      client.on('response', () => (last = performance.now()))
    },
    ...(call.once ? { amount: bodies!.length } : { duration: seconds }),
    requests: [
      {
        method: call.method,
        headers: { ...call.headers },
        setupRequest(request) {
          const n = next++
          if (bodies) request.body = bodies[n % bodies.length]!
          if (tokens) request.headers = { ...request.headers, authorization: `Bearer ${tokens[n % tokens.length]}` }
          return request
        },
      },
    ],
  })
  const took = (last - began) / 1000
  const done = result['2xx']
  return {
    perSecond: Math.round(done / took),
    cpuMicros: Math.round(((cpuOf(pid) - before) * 1e6) / Math.max(1, done)),
    p99: result.latency.p99,
    failed: result.non2xx + result.errors,
  }
}

/** Seconds of CPU a process has used (proc(5): utime and stime, in ticks of 10 ms). */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
