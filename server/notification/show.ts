import { catalogue } from '#server/event/catalogue.ts'
import { readPayload } from '#server/event/payload.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import type { InboxRow } from './store.ts'

/** A notification as the person it is for sees it. */
export async function showNotification(runtime: Runtime, row: InboxRow) {
  const { title, body, data } = readPayload(
    await openPersonal(runtime, runtime.db, row.payloadSealed, 'events.payload'),
  )
  return {
    id: runtime.vault.ids.seal('evt', row.id),
    type: row.type,
    group: catalogue.get(row.type)?.group ?? 'other',
    title,
    body,
    data,
    createdAt: row.createdAt.toISOString(),
    readAt: row.readAt?.toISOString() ?? null,
  }
}
