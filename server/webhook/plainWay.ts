import { Pool } from 'undici'

export type OutboundRequest = {
  url: string
  method: string
  headers: Record<string, string>
  body: string
  timeoutMs: number
  maxBytes: number
}
export type OutboundAnswer = {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
  truncated: boolean
  timings?: Record<string, number>
  remoteAddress?: string
}
export type Outbound = { request(input: OutboundRequest): Promise<OutboundAnswer>; close(): Promise<void> }

export function createPlainWay(): Outbound {
  const pools = new Map<string, Pool>()
  return {
    async request({ url, method, headers, body, timeoutMs, maxBytes }) {
      const { origin, pathname, search } = new URL(url)
      let pool = pools.get(origin)
      if (!pool) pools.set(origin, (pool = new Pool(origin, { connections: 256, pipelining: 1 })))
      const began = performance.now()
      const answer = await pool.request({
        method: method as 'POST',
        path: pathname + search,
        headers,
        body,
        signal: AbortSignal.timeout(timeoutMs),
      })
      const firstByte = Math.round(performance.now() - began)
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        size += chunk.length
        chunks.push(chunk)
        if (size > maxBytes) {
          answer.body.destroy()
          break
        }
      }
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: Buffer.concat(chunks).subarray(0, maxBytes),
        truncated: size > maxBytes,
        timings: { firstByte },
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}
