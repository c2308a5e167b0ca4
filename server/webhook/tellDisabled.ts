import { appIn } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { tellOperators } from '#server/email/tellOperators.ts'
import type { Runtime } from '#server/runtime.ts'
import { countOpen, type EndpointRow } from './store.ts'

export type DisabledBecause = 'gone' | 'failing'

/** Mails the operators that an endpoint was given up: why, what becomes of its events, and what to do. */
export async function tellDisabled(
  runtime: Runtime,
  tx: Transaction,
  row: EndpointRow,
  because: DisabledBecause,
): Promise<void> {
  const app = await appIn(runtime, tx, row.appId)
  if (!app) return
  const { ids } = runtime.vault
  const host = new URL(row.url).host
  const open = await countOpen(tx, [row.id])
  const waiting = open.filter(({ status }) => status !== 'dead').reduce((sum, { n }) => sum + n, 0)
  const why =
    because === 'gone'
      ? `${host} answered 410 Gone, which says that nobody listens there any more. So Gatehouse switched the endpoint off.`
      : `${host} has taken nothing for five days, however often it was tried. So Gatehouse switched the endpoint off.`
  await tellOperators(runtime, tx, app, {
    kind: 'endpoint_disabled',
    heading: `${app.name}: the webhook to ${host} is off`,
    lines: [
      why,
      'Nothing is lost: what the endpoint is owed, and every event that comes from now on, is held until you decide.',
      because === 'gone'
        ? 'If the receiver has moved, enter its new address. If it is back, switch the endpoint on and say whether what was held is sent. If it is gone for good, delete it.'
        : 'Look at the last attempts to see what the receiver answers. When it is mended, send it a test event, switch the endpoint on, and say whether what was held is sent.',
    ],
    facts: [
      { label: 'Endpoint', value: row.url },
      ...(row.description ? [{ label: 'Description', value: row.description }] : []),
      { label: 'Events', value: (JSON.parse(row.types) as string[]).join(', ') },
      { label: 'Last success', value: row.lastSuccessAt ? utc(row.lastSuccessAt) : 'never' },
      { label: 'Held', value: heldWords(waiting) },
    ],
    action: {
      label: 'Open the endpoint',
      url: `${runtime.config.publicUrl}/console/apps/${app.publicId}?tab=webhooks&endpoint=${ids.seal('whe', row.id)}`,
    },
  })
}

const heldWords = (n: number): string =>
  n === 0 ? 'nothing yet' : n === 1 ? '1 event' : `${n.toLocaleString('en')} events`

const utc = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
