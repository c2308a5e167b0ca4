import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { refuse } from '#server/http/answer.ts'
import { addressOf } from '#server/http/authenticate.ts'
import { setSecurityHeaders } from '#server/http/security.ts'
import type { Runtime } from '#server/runtime.ts'
import { bucketOf } from '#server/stats/latency.ts'

/** Calls a second whose time is taken, each; of more than that, one in eight. */
const MOST_TIMED = 50

/** Stands before the public calls: refuses addresses that an operator has blocked, on their very next call, and takes the time of the others. */
export function guard(runtime: Runtime, next: RequestListener): RequestListener {
  let second = 0
  let calls = 0
  return (request, response) => {
    const path = request.url ?? ''
    if (!path.startsWith('/v1/') && !path.startsWith('/oauth/')) {
      next(request, response)
      return
    }
    const began = performance.now()
    const now = Math.floor(began / 1000)
    if (now !== second) [second, calls] = [now, 0]
    if (++calls <= MOST_TIMED || calls % 8 === 0)
      response.once('finish', () => runtime.figures.count(0, `call.${bucketOf(performance.now() - began)}`))
    const reading = runtime.traffic.ready()
    if (reading) void reading.then(() => pass(request, response))
    else pass(request, response)
  }

  function pass(request: IncomingMessage, response: ServerResponse): void {
    try {
      if (runtime.traffic.blocksAnybody()) runtime.traffic.refuseBlocked(addressOf(runtime, request))
    } catch (error) {
      setSecurityHeaders(response, runtime.config)
      refuse(runtime, error, request, response)
      return
    }
    next(request, response)
  }
}
