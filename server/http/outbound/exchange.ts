import type { Dispatcher } from 'undici'
import { faultOf, type Fault } from './fault.ts'
import type { OutboundAnswer, OutboundFault, OutboundRequest, Timings } from './outbound.ts'
import type { Carried, Pools } from './pools.ts'

export type Exchange = {
  outcome: OutboundAnswer | OutboundFault
  /** A kept-alive connection turned out to be closed, and the request may be sent again. */
  stale: boolean
}

/** One request and what came of it. It ends on time whatever the other side does: also a body that only drips. */
export function exchange(pools: Pools, url: URL, request: OutboundRequest, began: number): Promise<Exchange> {
  return new Promise((resolve) => {
    const { method = 'GET', maxBytes, signal } = request
    const carried: Carried = {}
    let controller: Dispatcher.DispatchController | undefined
    let settled = false
    let [status, headers, firstByte]: [number, OutboundAnswer['headers'], number | undefined] = [0, {}, undefined]
    const chunks: Buffer[] = []
    let size = 0

    const left = Math.max(0, request.timeoutMs - (performance.now() - began))
    const late = () => cut({ fault: 'timed_out', reason: `${url.host} did not answer within ${request.timeoutMs} ms` })
    const timer = setTimeout(late, left)
    const abort = () => cut({ fault: 'aborted', reason: 'The call was given up' })
    signal?.addEventListener('abort', abort, { once: true })

    function end(fault?: Fault, truncated = false): void {
      if (settled) return
      settled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      const link = carried.link?.()
      const fresh = link !== undefined && link.begun >= began
      const timings: Timings = {
        dns: fresh && link.named !== undefined ? link.named - link.begun : null,
        connect: fresh && link.connected !== undefined ? link.connected - (link.named ?? link.begun) : null,
        tls: fresh && link.secured !== undefined ? link.secured - (link.connected ?? link.begun) : null,
        firstByte: firstByte === undefined ? null : firstByte - began,
        total: performance.now() - began,
      }
      const remoteAddress = link?.remoteAddress ?? null
      const again = method === 'GET' || request.idempotent === true
      resolve({
        outcome: fault
          ? { ...fault, timings, remoteAddress }
          : { status, headers, body: Buffer.concat(chunks, size), truncated, timings, remoteAddress },
        stale: again && !fresh && fault?.fault === 'connection_lost' && firstByte === undefined,
      })
    }

    /** Ends it from our side, and the connection with it. */
    function cut(fault?: Fault): void {
      end(fault, fault === undefined)
      controller?.abort(new Error('cut'))
    }

    if (signal?.aborted) return abort()
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started
        if (settled) started.abort(new Error('over'))
      },
      onResponseStart(started, code, received) {
        // 1xx comes before the answer.
        if (code < 200) return
        if (settled) return started.abort(new Error('over'))
        firstByte = performance.now()
        status = code
        headers = received
        if (!request.truncate && Number(received['content-length']) > maxBytes) cut(tooLarge(url, maxBytes))
      },
      onResponseData(_controller, chunk) {
        if (settled) return
        if (size + chunk.length <= maxBytes) {
          chunks.push(chunk)
          size += chunk.length
          return
        }
        if (!request.truncate) return cut(tooLarge(url, maxBytes))
        chunks.push(chunk.subarray(0, maxBytes - size))
        size = maxBytes
        cut()
      },
      onResponseEnd: () => end(),
      onResponseError: (_controller, error) => end(faultOf(error, url.host)),
    }
    try {
      pools.dispatch(
        url.origin,
        request.lane ?? '',
        {
          path: url.pathname + url.search,
          method,
          headers: { 'user-agent': 'Gatehouse', 'accept-encoding': 'identity', ...request.headers },
          body: request.body ?? null,
        },
        carried,
        handler,
      )
    } catch (error) {
      end(faultOf(error, url.host))
    }
  })
}

const tooLarge = (url: URL, most: number): Fault => ({
  fault: 'too_large',
  reason: `The answer of ${url.host} is larger than ${most} bytes`,
})
