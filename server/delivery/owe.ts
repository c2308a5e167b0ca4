import type { Subscription } from '#server/app/subscriptions.ts'
import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { insertDelivery, nextSequence } from './store.ts'

export type Owed = { eventId: number; subjectKey: number | null; now: Date }

/** Writes what an event makes us owe to each endpoint, inside the event's transaction. */
export async function oweToEndpoints(
  runtime: Runtime,
  tx: Transaction,
  { eventId, subjectKey, now }: Owed,
  subscriptions: readonly Subscription[],
): Promise<void> {
  for (const { endpointId, active, extended, ordered } of subscriptions) {
    await insertDelivery(tx, {
      eventId,
      channel: 'webhook',
      lane: endpointId,
      status: active ? 'pending' : 'held',
      nextAt: active ? now : null,
      reason: active ? null : 'endpoint_off',
      extended,
      seq: extended && subjectKey !== null ? await nextSequence(tx, endpointId, subjectKey) : null,
      orderKey: ordered ? subjectKey : null,
    })
    if (active) runtime.outbox.wake(endpointId)
  }
}
