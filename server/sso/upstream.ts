import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { newBreaker, type Breaker } from './breaker.ts'
import { newHealth, type Health } from './health.ts'

/** What this process knows of one app's tokenInfoURL. */
export type Upstream = {
  /** The settings the breaker judges by; with others it begins anew, so that a mended URL works at once. */
  settings: string
  breaker: Breaker
  health: Health
  inFlight: number
}

const known = new WeakMap<Runtime, Map<number, Upstream>>()

export function upstreamOf(runtime: Runtime, app: App): Upstream {
  let upstreams = known.get(runtime)
  if (!upstreams) known.set(runtime, (upstreams = new Map<number, Upstream>()))
  let upstream = upstreams.get(app.id)
  if (!upstream) {
    upstream = { settings: '', breaker: newBreaker(), health: newHealth(), inFlight: 0 }
    upstreams.set(app.id, upstream)
  }
  const { tokenInfoUrl, method, tokenIn, timeoutMs } = app.settings.sso
  const settings = `${tokenInfoUrl} ${method} ${tokenIn} ${timeoutMs}`
  if (upstream.settings !== settings) Object.assign(upstream, { settings, breaker: newBreaker() })
  return upstream
}
