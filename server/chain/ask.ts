import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { parseExact } from './json.ts'
import type { ChainApi } from './network.ts'
import { pause, takeTurn } from './pace.ts'

const TIMEOUT_MS = 4_000
const MOST_BYTES = 4_194_304
/** What says that it is away for longer is asked again all the same. */
const LONGEST_PAUSE_S = 3_600

type Question = { query?: Record<string, string>; body?: unknown; mostBytes?: number }

/**
 * One call of a toncenter-compatible API: its answer as an object, with the v2 envelope taken off, or undefined when the liteserver
 * refuses the question itself (542), as for a contract that is not there.
 * @throws AppError chain_unavailable, with what the API says of when to try again
 */
export async function askChain(
  runtime: Runtime,
  api: ChainApi,
  path: string,
  { query, body, mostBytes = MOST_BYTES }: Question = {},
): Promise<Record<string, unknown> | unknown[] | undefined> {
  await takeTurn(runtime, api)
  const url = `${api.url}/${path}${query ? `?${new URLSearchParams(query).toString()}` : ''}`
  const { status, text, retryAfter } = await send(runtime, api, url, body, mostBytes)
  if (status === 429) throw pause(runtime, api, readPause(retryAfter, runtime.now()))
  if (status === 503 && retryAfter !== undefined) throw pause(runtime, api, readPause(retryAfter, runtime.now()))
  if (status === 542) return undefined
  if (status === 401 || status === 403)
    throw unavailable(`The TON API refuses our key (${status}); an operator can set TON_API_KEY`)
  if (status !== 200) throw unavailable(`The TON API answers ${status}`)
  let answer: unknown
  try {
    answer = parseExact(text)
  } catch (cause) {
    throw unavailable('The TON API does not answer JSON', { cause })
  }
  if (typeof answer !== 'object' || answer === null) throw unavailable('The TON API does not answer a JSON object')
  const { ok, result, code } = answer as { ok?: unknown; result?: unknown; code?: unknown }
  if (ok === undefined) return answer as Record<string, unknown>
  // The text of a rate limit stands in `result` (ton-org/docs rate-limit.mdx), of other failures in `error`.
  if (ok === false && code === 429) throw pause(runtime, api, 1)
  if (ok === false && code === 542) return undefined
  if (ok !== true || typeof result !== 'object' || result === null)
    throw unavailable('The TON API cannot answer the question')
  return result as Record<string, unknown> | unknown[]
}

async function send(runtime: Runtime, api: ChainApi, url: string, body: unknown, maxBytes: number) {
  const answer = await runtime.outbound.request({
    url,
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(api.key && { 'x-api-key': api.key }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    timeoutMs: TIMEOUT_MS,
    maxBytes,
    idempotent: true,
    configured: true,
  })
  if ('fault' in answer) throw unavailable('The TON API cannot be reached', { cause: new Error(answer.reason) })
  return { status: answer.status, text: answer.body.toString('utf8'), retryAfter: answer.headers['retry-after'] }
}

/** Retry-After, seconds or a date (RFC 9110 §10.2.3); a second where there is none that can be read. */
function readPause(header: string | string[] | undefined, now: Date): number {
  const text = String(header ?? 1)
  const date = /[a-z]{3}/i.test(text) ? Date.parse(text) : NaN
  const seconds = Number.isNaN(date) ? Number(text) : (date - now.getTime()) / 1000
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.ceil(seconds), LONGEST_PAUSE_S) : 1
}

export function unavailable(message: string, extras: { cause?: unknown; retryAfter?: number } = {}): AppError {
  return new AppError('chain_unavailable', `${message}; try again`, { retryAfter: 2, ...extras })
}
