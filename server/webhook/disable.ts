import type { Transaction } from '#server/db/database.ts'
import { recordAudit, systemActor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { saveSubscriptions, updateEndpoint, type EndpointRow } from './store.ts'
import { tellDisabled } from './tellDisabled.ts'

/** Why Gatehouse gives an endpoint up by itself. */
const reasons = {
  gone: 'It answered 410 Gone',
  failing: 'It took nothing for five days',
}

/**
 * Switches an endpoint off for good, in the transaction that found out why, and tells the operators. What it is still owed is held, and so
 * is what arrives from now on.
 */
export async function disableEndpoint(
  runtime: Runtime,
  tx: Transaction,
  row: EndpointRow,
  { reason, at }: { reason: keyof typeof reasons; at: Date },
): Promise<void> {
  if (row.state === 'disabled') return
  await updateEndpoint(tx, row.id, { state: 'disabled', stateReason: reasons[reason], stateAt: at, openUntil: null })
  await saveSubscriptions(tx, row.appId)
  await recordAudit(tx, {
    at,
    actor: systemActor,
    action: 'webhook.disable',
    appId: row.appId,
    target: { kind: 'webhook', id: row.id, label: row.url },
    before: { state: row.state },
    after: { state: 'disabled', reason: reasons[reason] },
  })
  await tellDisabled(runtime, tx, row, reason)
  runtime.log.warn({ endpoint: runtime.vault.ids.seal('whe', row.id), reason }, 'a webhook endpoint was disabled')
}
