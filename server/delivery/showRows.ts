import { readPayload } from '#server/event/payload.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { showDelivery, type Status } from './describe.ts'
import { deliveriesOf, type LogRow } from './logStore.ts'
import type { NotificationItem } from './shapes.ts'

/** What needs most attention comes first. */
const urgency: Status[] = ['dead', 'held', 'retrying', 'pending', 'sending', 'delivered', 'skipped']

/** Events of the log as operators see them, each with everything owed because of it. */
export async function showRows(runtime: Runtime, rows: LogRow[]): Promise<NotificationItem[]> {
  const { vault, db } = runtime
  const owed = Map.groupBy(
    await deliveriesOf(
      db,
      rows.map((row) => row.id),
    ),
    ({ delivery }) => delivery.eventId,
  )
  const show = async (row: LogRow): Promise<NotificationItem> => {
    const { user, title, body } = readPayload(await openPersonal(runtime, db, row.payloadSealed, 'events.payload'))
    const deliveries = (owed.get(row.id) ?? []).map((one) => showDelivery(runtime, one))
    return {
      id: vault.ids.seal('evt', row.id),
      app: { id: vault.ids.seal('app', row.appId), name: row.appName },
      type: row.type,
      user,
      userId: row.userId === null ? null : vault.ids.seal('usr', row.userId),
      title,
      body,
      source: row.source,
      createdAt: row.createdAt.toISOString(),
      status: urgency.find((status) => deliveries.some((one) => one.status === status)) ?? 'none',
      deliveries,
    }
  }
  return Promise.all(rows.map(show))
}
