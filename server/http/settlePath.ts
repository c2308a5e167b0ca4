import type { RequestListener } from 'node:http'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { refuse } from './answer.ts'
import { setSecurityHeaders } from './security.ts'

/**
 * Gives each address one spelling before anybody judges by it, so that what is refused under one spelling is not served under another: `GET http://host/v1/…`, as
 * proxies are asked (RFC 9112 §3.2.2), becomes its path, and a first part that differs from ours in case only, which the router would take, is nobody's.
 */
export function settlePath(runtime: Runtime, next: RequestListener): RequestListener {
  return (request, response) => {
    const url = request.url ?? '/'
    if (url.charCodeAt(0) !== 47) {
      const whole = URL.parse(url)
      if (whole) request.url = whole.pathname + whole.search
    }
    const first = /^\/[^/?]*/.exec(request.url!)?.[0] ?? ''
    if (first !== first.toLowerCase()) {
      setSecurityHeaders(response, runtime.config)
      refuse(runtime, new AppError('not_found', 'There is nothing at this address'), request, response)
      return
    }
    next(request, response)
  }
}
