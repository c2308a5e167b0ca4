import type { Attempt, Verdict } from '#server/delivery/lane.ts'
import { readRetryAfter } from '#server/delivery/schedule.ts'
import type { Claimed, ClaimedEvent } from '#server/delivery/store.ts'
import { extendPayload } from '#server/event/payload.ts'
import type { FaultCode } from '#server/http/outbound/fault.ts'
import { openPersonal, sealFor, type Keeper } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { logoutForm } from './logoutToken.ts'
import { signingKeys, type EndpointSecrets } from './secrets.ts'
import { sign, type SigningKeys } from './sign.ts'

/** Of an answer, this much is kept. */
const KEPT_BYTES = 16_384
const MOST_HEADER_BYTES = 4_096

export type Target = {
  endpointId: number
  url: string
  /** The same, read. */
  address: URL
  timeoutMs: number
  secrets: EndpointSecrets
  appId: number
  /** Takes logout tokens instead of events. */
  logout: boolean
}

/** What was said on the wire, as the log keeps it. */
export type Exchange = {
  url: string
  /** Names of the endpoint's own headers; their values are never kept. */
  headerNames: string[]
  /** What was sent where that is not the delivery's own bytes: each try of a logout token signs another. */
  body?: string
  response?: { headers: Record<string, string>; body: string; truncated: boolean }
  /** What the network said when there was no answer. */
  error?: string
}

/** One event as it goes to one endpoint: the same bytes on every attempt. */
export async function bodyOf(
  runtime: Keeper,
  delivery: Pick<Claimed, 'extended' | 'seq'>,
  event: ClaimedEvent,
): Promise<{ id: string; body: string }> {
  const id = runtime.vault.ids.seal('evt', event.id)
  const payload = await openPersonal(runtime, runtime.db, event.payloadSealed, 'events.payload')
  const { type, createdAt } = event
  return {
    id,
    body: delivery.extended ? extendPayload(payload, { id, type, timestamp: createdAt, seq: delivery.seq }) : payload,
  }
}

type Told = { id: string; timestamp: number; signature: string; type: string; number: number; form: boolean }

/** What a request says besides the endpoint's own headers; `number` counts the tries from 1. */
export const headersOf = ({ id, timestamp, signature, type, number, form }: Told): Record<string, string> => ({
  'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
  'user-agent': 'Gatehouse/0.1 (Standard Webhooks 1.0)',
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': signature,
  'x-gatehouse-event': type,
  'x-gatehouse-attempt': String(number),
})

/** Sends one delivery to an endpoint, signed as Standard Webhooks 1.0.0 says, and judges the answer. Never throws for what a receiver does. */
export async function sendWebhook(
  runtime: Runtime,
  target: Target,
  delivery: Claimed,
  event: ClaimedEvent,
): Promise<Attempt> {
  const at = runtime.now()
  const { id, body: payload } = await bodyOf(runtime, delivery, event)
  const form = target.logout ? await logoutForm(runtime, target.appId, { type: event.type, payload }, at) : undefined
  const body = form ?? payload
  const timestamp = Math.floor(at.getTime() / 1000)
  const signature = sign(keysOf(target, at), { id, timestamp, body })
  const own = target.secrets.headers
  const exchange: Exchange = {
    url: target.url,
    headerNames: Object.keys(own),
    ...(form !== undefined && { body: form }),
  }
  const sealed = () => sealExchange(runtime, target, event.userId, exchange)
  const answer = await runtime.outbound.request({
    url: target.address,
    method: 'POST',
    headers: {
      ...own,
      ...headersOf({
        id,
        timestamp,
        signature,
        type: event.type,
        number: delivery.tries + 1,
        form: form !== undefined,
      }),
    },
    body,
    timeoutMs: target.timeoutMs,
    maxBytes: KEPT_BYTES,
    truncate: true,
    // Endpoints of one host must not wait for each other's connections.
    lane: String(target.endpointId),
    // Its id tells a receiver that it came twice, so a connection that was closed meanwhile is simply replaced.
    idempotent: true,
  })
  const { total, ...phases } = answer.timings
  const common = { at, durationMs: total, timings: phases, address: answer.remoteAddress ?? undefined, signature }
  if ('fault' in answer) {
    exchange.error = answer.reason
    return { ...common, outcome: answer.fault, exchangeSealed: await sealed(), verdict: judgeFault(answer.fault) }
  }
  const { status, truncated } = answer
  exchange.response = { headers: flatten(answer.headers), body: answer.body.toString('utf8'), truncated }
  return {
    ...common,
    outcome: outcomeOf(status),
    status,
    exchangeSealed: await sealed(),
    verdict: judge(status, readRetryAfter(exchange.response.headers['retry-after'], at)),
  }
}

/** What a receiver said last, for whom, and that under the secret key once it was said for a second person. */
type Said = { text: string; userId: number | null; sealed?: Buffer }

const lastSaid = new WeakMap<Target, Said>()

/**
 * An exchange encrypted for the log, under the key of the person whom the event is about, for an answer may speak of them. What a receiver under load says to
 * the letter for somebody else too speaks of nobody: that is encrypted once, for it is said many times a second.
 */
async function sealExchange(
  runtime: Runtime,
  target: Target,
  userId: number | null,
  exchange: Exchange,
): Promise<Buffer> {
  const text = mask(JSON.stringify(exchange), target.secrets.headers)
  const last = lastSaid.get(target)
  if (last?.text === text && (userId === null || last.userId !== userId))
    return (last.sealed ??= runtime.vault.seal(text, 'attempts.exchange'))
  if (last?.text !== text) lastSaid.set(target, { text, userId })
  return sealFor(runtime, runtime.db, userId, text, 'attempts.exchange')
}

/** What the guard refuses it will refuse again; after a change of settings an operator can replay it. */
function judgeFault(fault: FaultCode): Verdict {
  return { kind: fault === 'address_refused' || fault === 'url_invalid' ? 'dead' : 'retry' }
}

const outcomeOf = (status: number) => (status >= 200 && status < 300 ? 'ok' : `http_${Math.floor(status / 100)}xx`)

function judge(status: number, retryAfterMs: number | undefined): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  // The endpoint is off from now on; once it is on again, this goes out again with the rest.
  if (status === 410) return { kind: 'again', afterMs: 0 }
  return { kind: 'retry', retryAfterMs }
}

const keys = new WeakMap<Target, { keys: SigningKeys; until: number }>()

/** The keys of a target, read once; anew when an old secret's time is over. */
function keysOf(target: Target, now: Date): SigningKeys {
  const known = keys.get(target)
  if (known && now.getTime() < known.until) return known.keys
  const read = signingKeys(target.secrets, now)
  const ends = target.secrets.signing.map(({ until }) => (until ? Date.parse(until) : Infinity))
  keys.set(target, { keys: read, until: Math.min(Infinity, ...ends.filter((end) => end > now.getTime())) })
  return read
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const kept: Record<string, string> = {}
  let size = 0
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    const text = Array.isArray(value) ? value.join(', ') : value
    size += name.length + text.length
    if (size > MOST_HEADER_BYTES) break
    kept[name] = text
  }
  return kept
}

/** A receiver may echo what it was sent; secret headers must not come back through the log. */
function mask(text: string, secrets: Record<string, string>): string {
  let masked = text
  for (const value of Object.values(secrets))
    if (value.length >= 4) masked = masked.replaceAll(JSON.stringify(value).slice(1, -1), '••••')
  return masked
}
