import type { Runtime } from '#server/runtime.ts'
import { askChain, unavailable } from './ask.ts'
import { chainApi, type Network } from './network.ts'

const MOST_BYTES = 65_536

/**
 * The key a deployed wallet's own contract names: `get_public_key` through a toncenter-compatible API (v2 and v3 answer in two shapes).
 * Undefined when the contract has no such method or is not deployed.
 * @throws AppError chain_not_configured, chain_unavailable: the chain's absence is never the proof's fault
 */
export async function publicKeyOnChain(
  runtime: Runtime,
  network: Network,
  address: string,
): Promise<Buffer | undefined> {
  const api = chainApi(runtime, network)
  const body = { address, method: 'get_public_key', stack: [] }
  const result = (await askChain(runtime, api, 'runGetMethod', { body, mostBytes: MOST_BYTES })) as
    { exit_code?: unknown; stack?: unknown } | undefined
  if (!result) return undefined
  if (typeof result.exit_code !== 'number') throw unavailable('The TON API does not answer the question')
  if (result.exit_code !== 0 && result.exit_code !== 1) return undefined
  const [first] = Array.isArray(result.stack) ? (result.stack as unknown[]) : []
  const value = Array.isArray(first) ? (first as unknown[])[1] : (first as { value?: unknown } | undefined)?.value
  // An integer: leading zeros of the key are not written.
  const hex = typeof value === 'string' ? /^0x([0-9a-fA-F]{1,64})$/.exec(value)?.[1] : undefined
  if (!hex || /^0+$/.test(hex)) return undefined
  return Buffer.from(hex.padStart(64, '0'), 'hex')
}
