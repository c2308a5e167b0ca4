import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { exchange, type Exchange } from './exchange.ts'
import type { Fault, FaultCode } from './fault.ts'
import { createGuard, type Guard } from './guard.ts'
import { createLookup, type Lookup } from './lookup.ts'
import { createPools } from './pools.ts'

export type OutboundRequest = {
  url: string | URL
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  headers?: Record<string, string>
  body?: string | Buffer
  /** Milliseconds for everything: name, connection, TLS, and the answer to its last byte. */
  timeoutMs: number
  /** Most bytes of the answer's body. */
  maxBytes: number
  /** A longer answer is cut at `maxBytes` instead of refused. */
  truncate?: boolean
  signal?: AbortSignal
  /** The same request may be sent twice: a kept-alive connection that turns out to be closed is then replaced by a new one. Always so for GET. */
  idempotent?: boolean
  /** Calls of different lanes never share a connection or wait for each other, even to the same server. */
  lane?: string
  /** The address stands in this installation's own settings (its environment), so it may be any. Never for what an app's owner typed. */
  configured?: boolean
}

/** Milliseconds. `dns`, `connect` and `tls` are null where a kept-alive connection (or an address, or plain HTTP) needed none. */
export type Timings = {
  dns: number | null
  connect: number | null
  tls: number | null
  /** From the start to the first byte of the answer. */
  firstByte: number | null
  total: number
}

export type OutboundAnswer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  truncated: boolean
  timings: Timings
  remoteAddress: string | null
}

/** No answer, and why: the code for programs, the reason for the operator. */
export type OutboundFault = {
  fault: FaultCode
  reason: string
  timings: Timings
  remoteAddress: string | null
}

/** The only way out of this process. */
export type Outbound = {
  /** Never throws: what goes wrong outside is an answer of its own. Redirects are not followed, nothing is decompressed. */
  request(request: OutboundRequest): Promise<OutboundAnswer | OutboundFault>
  /** Why this URL would be refused as it is written, or undefined; what its name leads to is only known when it is called. */
  judge(url: string): string | undefined
  close(): Promise<void>
}

const MOST_JUDGED = 1_000

/** @param allow GATEHOUSE_ALLOW_NETWORKS */
export function createOutbound(allow: readonly string[], lookup: Lookup = createLookup()): Outbound {
  const guard = createGuard(allow)
  const guarded = createPools(guard, lookup)
  const open = createPools(undefined, lookup)
  const judged = { guarded: new Map<string, URL | Fault>(), open: new Map<string, URL | Fault>() }

  /** A URL is judged once as it is written; where its name leads is judged with each connection. One with a query is hardly ever asked for again. */
  function readOnce(url: string | URL, configured: boolean): URL | Fault {
    if (typeof url !== 'string' || url.includes('?')) return readUrl(url, configured ? undefined : guard)
    const known = configured ? judged.open : judged.guarded
    let read = known.get(url)
    if (!read) {
      if (known.size >= MOST_JUDGED) known.clear()
      known.set(url, (read = readUrl(url, configured ? undefined : guard)))
    }
    return read
  }

  return {
    async request(request) {
      const began = performance.now()
      const read = readOnce(request.url, request.configured === true)
      if ('fault' in read) {
        const timings = { dns: null, connect: null, tls: null, firstByte: null, total: performance.now() - began }
        return { ...read, timings, remoteAddress: null }
      }
      const pools = request.configured ? open : guarded
      const first: Exchange = await exchange(pools, read, request, began)
      return first.stale ? (await exchange(pools, read, request, began)).outcome : first.outcome
    },
    judge(url) {
      const read = readUrl(url, guard)
      return 'fault' in read ? read.reason : undefined
    },
    async close() {
      await Promise.all([guarded.close(), open.close()])
    },
  }
}

/** The URL, or why it is refused. Ports of other services are closed, so that nobody makes us speak to a mail server. */
function readUrl(text: string | URL, guard: Guard | undefined): URL | Fault {
  const url = typeof text === 'string' ? URL.parse(text) : text
  if (!url) return invalid('A URL is needed, such as https://example.com/tokeninfo')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return invalid('A URL must begin with https:// or http://')
  if (url.username || url.password) return invalid('A URL must not hold a user name or password; use a header')
  if (!guard) return url
  const port = Number(url.port || 443)
  if (port !== 80 && port !== 443 && port < 1024)
    return invalid(`A URL with port ${port} is refused; use 80, 443 or one from 1024 on`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const reason = isIP(host) ? guard(host) : undefined
  return reason === undefined ? url : { fault: 'address_refused', reason: `${host} ${reason}` }
}

const invalid = (reason: string): Fault => ({ fault: 'url_invalid', reason })
