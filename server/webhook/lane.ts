import type { Transaction } from '#server/db/database.ts'
import type { Attempt, Lane } from '#server/delivery/lane.ts'
import type { Runtime } from '#server/runtime.ts'
import { createCircuit, type Circuit } from './circuit.ts'
import { noteAttempts } from './health.ts'
import { openSecrets } from './secrets.ts'
import { sendWebhook, type Target } from './send.ts'
import { findEndpoint, findEndpointState, type EndpointRow } from './store.ts'

type Known = { row: EndpointRow; target: Target; circuit: Circuit }

const known = new WeakMap<Runtime, Map<number, Known>>()

/** An endpoint as a lane, as it is at this moment; undefined when it is gone. Its secrets are opened once a version. */
export async function openWebhookLane(runtime: Runtime, tx: Transaction, id: number): Promise<Lane | undefined> {
  let cache = known.get(runtime)
  if (!cache) known.set(runtime, (cache = new Map()))
  const state = await findEndpointState(tx, id)
  if (!state) {
    cache.delete(id)
    return undefined
  }
  let found = cache.get(id)
  if (found?.row.version !== state.version) {
    const row = await findEndpoint(tx, id)
    if (!row) return undefined
    found = { row, target: targetOf(runtime, row), circuit: found?.circuit ?? createCircuit() }
    cache.set(id, found)
  }
  const { row, target, circuit } = found
  return {
    id,
    appId: row.appId,
    open: state.state === 'active',
    rate: row.ratePerSecond,
    concurrency: row.concurrency,
    ordered: row.ordered,
    openUntil: state.openUntil,
    probing: state.openUntil !== null,
    send: (delivery, event) => sendWebhook(runtime, target, delivery, event),
    note: (tx: Transaction, attempts: Attempt[], now: Date) => noteAttempts(runtime, tx, row, circuit, attempts, now),
  }
}

/** Where and with what an endpoint is sent to. */
export function targetOf(runtime: Runtime, row: EndpointRow): Target {
  const secrets = openSecrets(runtime.vault, row.secretsSealed)
  const { id: endpointId, appId, url, timeoutMs, payloadFormat } = row
  return { endpointId, appId, url, address: new URL(url), timeoutMs, secrets, logout: payloadFormat === 'logout_token' }
}
