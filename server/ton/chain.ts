import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'

const TIMEOUT_MS = 4_000
const MOST_BYTES = 65_536

/**
 * The key a deployed wallet's own contract names: `get_public_key` through a toncenter-compatible API (v2 and v3 answer in two shapes).
 * Undefined when the contract has no such method or is not deployed.
 * @throws AppError chain_not_configured, chain_unavailable: the chain's absence is never the proof's fault
 */
export async function publicKeyOnChain(runtime: Runtime, address: string): Promise<Buffer | undefined> {
  const api = runtime.config.tonApi
  if (!api)
    throw new AppError(
      'chain_not_configured',
      "This wallet's key can only be read from the chain, and no TON API is configured; send the wallet's state init",
    )
  const answer = await ask(runtime, `${api.url}/runGetMethod`, api.key, {
    address,
    method: 'get_public_key',
    stack: [],
  })
  const result = (answer['result'] ?? answer) as { exit_code?: unknown; stack?: unknown }
  if (typeof result.exit_code !== 'number') throw unavailable('The TON API does not answer the question')
  if (result.exit_code !== 0 && result.exit_code !== 1) return undefined
  const [first] = Array.isArray(result.stack) ? (result.stack as unknown[]) : []
  const value = Array.isArray(first) ? (first as unknown[])[1] : (first as { value?: unknown } | undefined)?.value
  // An integer: leading zeros of the key are not written.
  const hex = typeof value === 'string' ? /^0x([0-9a-fA-F]{1,64})$/.exec(value)?.[1] : undefined
  if (!hex || /^0+$/.test(hex)) return undefined
  return Buffer.from(hex.padStart(64, '0'), 'hex')
}

async function ask(
  runtime: Runtime,
  url: string,
  key: string | undefined,
  body: unknown,
): Promise<Record<string, unknown>> {
  const response = await runtime.outbound.request({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...(key && { 'x-api-key': key }) },
    body: JSON.stringify(body),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MOST_BYTES,
    idempotent: true,
    configured: true,
  })
  if ('fault' in response) throw unavailable('The TON API cannot be reached', { cause: new Error(response.reason) })
  if (response.status === 429) {
    const seconds = Number(response.headers['retry-after'])
    throw unavailable('The TON API asks us to slow down', { retryAfter: seconds > 0 ? Math.min(seconds, 60) : 1 })
  }
  if (response.status >= 500 && response.status !== 542) throw unavailable(`The TON API answers ${response.status}`)
  // 542 is the liteserver's own refusal, such as an account that is not there; 11 is the virtual machine's "no such method".
  if (response.status === 542) return { exit_code: 11 }
  if (response.status !== 200) throw unavailable(`The TON API answers ${response.status}`)
  try {
    const answer: unknown = JSON.parse(response.body.toString())
    if (typeof answer === 'object' && answer !== null) return answer as Record<string, unknown>
  } catch (cause) {
    throw unavailable('The TON API does not answer JSON', { cause })
  }
  throw unavailable('The TON API does not answer a JSON object')
}

function unavailable(message: string, extras: { cause?: unknown; retryAfter?: number } = {}): AppError {
  return new AppError('chain_unavailable', `${message}; try again`, { retryAfter: 2, ...extras })
}
