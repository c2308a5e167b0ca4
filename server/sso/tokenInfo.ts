import { hash } from 'node:crypto'
import type { App } from '#server/app/app.ts'
import type { FaultCode } from '#server/http/outbound/fault.ts'
import type { OutboundAnswer } from '#server/http/outbound/outbound.ts'
import type { Runtime } from '#server/runtime.ts'
import { admits, noteFailure, noteSuccess, secondsUntilProbe } from './breaker.ts'
import { checkClaims } from './claims.ts'
import { noteCall, type CallOutcome } from './health.ts'
import { tokenInfoRequest } from './request.ts'
import { upstreamOf } from './upstream.ts'

/** What a tokenInfoURL says of a token. */
type Said =
  | { kind: 'claims'; claims: Record<string, unknown> }
  /** It answered, and did not vouch for the token. */
  | { kind: 'refused'; status: number }
  | { kind: 'failed'; code: UpstreamCode; reason: string; retryAfter?: number }

/** The same with whether the claims held when they came. */
export type TokenInfo = Exclude<Said, { kind: 'claims' }> | (Extract<Said, { kind: 'claims' }> & { held: boolean })

type UpstreamCode = 'sso_upstream_failed' | 'sso_upstream_unavailable' | 'sso_upstream_timeout'

/** A refused token is not asked about again so soon; an accepted one serves those who come at the same time, for whom it is judged anew. */
const REFUSED_MS = 5_000
const ACCEPTED_MS = 1_000
const MOST_REMEMBERED = 10_000
/** Calls of one app that are on their way or wait for a connection. */
const MOST_IN_FLIGHT = 2_000

type Entry = { info: Promise<TokenInfo>; until: number }

const memories = new WeakMap<Runtime, Map<string, Entry>>()

/**
 * Asks an app's tokenInfoURL about a token. Whoever asks at the same time shares one call. What is remembered belongs to this app, these settings and
 * this very token, and only the answer is: its claims have to be checked each time.
 */
export function askTokenInfo(runtime: Runtime, app: App, token: string): Promise<TokenInfo> {
  let memory = memories.get(runtime)
  if (!memory) memories.set(runtime, (memory = new Map<string, Entry>()))
  const key = `${app.id} ${app.version} ${hash('sha256', token, 'base64')}`
  const known = memory.get(key)
  if (known && runtime.now().getTime() < known.until) return known.info

  const entry: Entry = { info: ask(runtime, app, token), until: Infinity }
  memory.delete(key)
  memory.set(key, entry)
  if (memory.size > MOST_REMEMBERED) memory.delete(memory.keys().next().value!)
  void entry.info.then((info) => {
    const keep = remembered(info)
    entry.until = runtime.now().getTime() + keep
    if (keep === 0 && memory.get(key) === entry) memory.delete(key)
  })
  return entry.info
}

/** Milliseconds an answer stands. A server that fails says nothing of the token. */
function remembered(info: TokenInfo): number {
  if (info.kind === 'claims') return info.held ? ACCEPTED_MS : REFUSED_MS
  return info.kind === 'refused' && info.status >= 400 && info.status < 500 && info.status !== 429 ? REFUSED_MS : 0
}

/** What the claims of this app's users are held against. */
export function expectedOf(app: App, now: Date) {
  const { audiences, clockSkew } = app.settings.sso
  return { audiences: audiences.length > 0 ? audiences : app.settings.audiences, clockSkew, now }
}

async function ask(runtime: Runtime, app: App, token: string): Promise<TokenInfo> {
  const upstream = upstreamOf(runtime, app)
  const { breaker, health } = upstream
  const started = runtime.now().getTime()
  if (upstream.inFlight >= MOST_IN_FLIGHT || !admits(breaker, started))
    return {
      kind: 'failed',
      code: 'sso_upstream_unavailable',
      reason:
        upstream.inFlight >= MOST_IN_FLIGHT
          ? 'Too many sign-ins wait for the server of this app'
          : 'The server of this app did not answer several times in a row and is left alone for a moment',
      retryAfter: secondsUntilProbe(breaker, started),
    }
  upstream.inFlight++
  const answer = await runtime.outbound.request(tokenInfoRequest(app, app.settings.sso.tokenInfoUrl!, token))
  upstream.inFlight--
  const now = runtime.now()
  const said = 'fault' in answer ? failed(answer.fault, answer.reason) : read(answer)
  const info =
    said.kind === 'claims'
      ? { ...said, held: checkClaims(said.claims, expectedOf(app, now)).subject !== undefined }
      : said
  // A status other than 200 refuses the token and is no failure, so that nobody switches an app's sign-in off with tokens its server stumbles over.
  if (info.kind === 'failed') noteFailure(breaker, now.getTime())
  else noteSuccess(breaker)
  noteCall(health, now, outcomeOf(info), answer.timings.total)
  return info
}

/** How a call went, as operators see it: a server that answers 5xx is not well, whatever that means for the token. */
function outcomeOf(info: TokenInfo): CallOutcome {
  if (info.kind === 'claims') return info.held ? 'accepted' : 'refused'
  return info.kind === 'refused' && info.status < 500 ? 'refused' : 'failed'
}

function failed(fault: FaultCode, reason: string): Exclude<Said, { kind: 'claims' }> {
  const late = fault === 'timed_out' || fault === 'connect_timeout'
  return { kind: 'failed', code: late ? 'sso_upstream_timeout' : 'sso_upstream_failed', reason }
}

/** Reads an answer: only status 200 with a JSON object vouches for anything. */
export function read(answer: Pick<OutboundAnswer, 'status' | 'headers' | 'body'>): Said {
  if (answer.status !== 200) return { kind: 'refused', status: answer.status }
  const encoding = answer.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    return failed('failed', 'The tokenInfoURL answers compressed, though asked not to (Accept-Encoding: identity)')
  const type = answer.headers['content-type']
  if (type !== undefined && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type))
    return failed('failed', 'The tokenInfoURL answers with another type than JSON')
  const claims = parseObject(answer.body)
  return claims ? { kind: 'claims', claims } : failed('failed', 'The tokenInfoURL does not answer a JSON object')
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(body))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
