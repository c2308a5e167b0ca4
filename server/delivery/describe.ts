import type { EventRow } from '#server/event/store.ts'
import { extendPayload, readPayload } from '#server/event/payload.ts'
import { typesOf } from '#server/event/types.ts'
import { appIn, audienceOf } from '#server/app/app.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { checkLogoutToken } from '#server/token/checkLogoutToken.ts'
import { headersOf, type Exchange } from '#server/webhook/send.ts'
import { signedContent } from '#server/webhook/sign.ts'
import { explainOutcome } from './explain.ts'
import { attemptsOf, deliveriesOf, type OwedRow } from './logStore.ts'
import { mailsOf } from './mailStore.ts'
import type { AttemptRow } from './store.ts'

/** What became of a delivery, as people and programs are told: `pending` before the first try, `retrying` after one. */
export const statuses = ['pending', 'sending', 'retrying', 'delivered', 'dead', 'held', 'skipped'] as const
export type Status = (typeof statuses)[number]

export const statusOf = ({ status, tries }: OwedRow['delivery']): Status =>
  status === 'pending' && tries > 0 ? 'retrying' : status

/** One channel owed, in short. */
export function showDelivery(runtime: Runtime, { delivery, url }: OwedRow) {
  const { ids } = runtime.vault
  const status = statusOf(delivery)
  return {
    id: ids.seal('dlv', delivery.id),
    channel: delivery.channel,
    endpoint:
      delivery.channel === 'webhook' && delivery.lane !== null ? { id: ids.seal('whe', delivery.lane), url } : null,
    status,
    tries: delivery.tries,
    nextAttemptAt: status === 'pending' || status === 'retrying' ? (delivery.nextAt?.toISOString() ?? null) : null,
    finishedAt: delivery.finishedAt?.toISOString() ?? null,
    reason: delivery.reason,
    explanation: delivery.reason === null ? null : explainOutcome(delivery.reason),
  }
}

/** An event with everything owed because of it and every try. */
export async function describeEvent(runtime: Runtime, event: Omit<EventRow, 'subjectKey' | 'readAt'>) {
  const { vault, db } = runtime
  const payload = await openPersonal(runtime, db, event.payloadSealed, 'events.payload')
  const { user, title, body, data } = readPayload(payload)
  const app = await appIn(runtime, db, event.appId)
  const type = app && (await typesOf(runtime, db, app)).get(event.type)
  const owed = await deliveriesOf(db, [event.id])
  const tried = Map.groupBy(
    await attemptsOf(
      db,
      owed.map(({ delivery }) => delivery.id),
    ),
    (attempt) => attempt.deliveryId,
  )
  const mails = await mailsOf(
    db,
    owed.filter(({ delivery }) => delivery.channel === 'email').map(({ delivery }) => delivery.id),
  )
  const id = vault.ids.seal('evt', event.id)
  return {
    id,
    type: event.type,
    group: type?.group ?? 'other',
    user,
    userId: event.userId === null ? null : vault.ids.seal('usr', event.userId),
    title,
    body,
    data,
    source: event.source,
    createdAt: event.createdAt.toISOString(),
    payload,
    deliveries: await Promise.all(
      owed.map(async (row) => {
        const { extended, seq } = row.delivery
        const told = { id, type: event.type, timestamp: event.createdAt, seq }
        const sent = extended ? extendPayload(payload, told) : payload
        return {
          ...showDelivery(runtime, row),
          seq,
          emailId: mails.has(row.delivery.id) ? vault.ids.seal('eml', mails.get(row.delivery.id)!) : null,
          payload: sent,
          logout: row.format === 'logout_token',
          attempts: await Promise.all(
            (tried.get(row.delivery.id) ?? []).map((attempt) =>
              showAttempt(runtime, { id, type: event.type, audience: app && audienceOf(app) }, sent, attempt),
            ),
          ),
        }
      }),
    ),
  }
}

type Told = { id: string; type: string; audience: string | string[] | undefined }

async function showAttempt(runtime: Runtime, event: Told, payload: string, attempt: AttemptRow) {
  const exchange = attempt.exchangeSealed
    ? (JSON.parse(await openPersonal(runtime, runtime.db, attempt.exchangeSealed, 'attempts.exchange')) as Exchange)
    : undefined
  const timestamp = Math.floor(attempt.at.getTime() / 1000)
  const body = exchange?.body ?? payload
  const form = exchange?.body !== undefined
  const token = form ? new URLSearchParams(body).get('logout_token') : null
  const { audience } = event
  return {
    number: attempt.number,
    at: attempt.at.toISOString(),
    outcome: attempt.outcome,
    status: attempt.status,
    explanation: explainOutcome(attempt.outcome, attempt.status),
    error: exchange?.error ?? null,
    durationMs: attempt.durationMs,
    timings: attempt.timings === null ? null : (JSON.parse(attempt.timings) as Record<string, number | null>),
    address: attempt.address,
    request:
      exchange && attempt.signature !== null
        ? {
            method: 'POST' as const,
            url: exchange.url,
            headers: {
              ...headersOf({ ...event, timestamp, signature: attempt.signature, number: attempt.number, form }),
              ...Object.fromEntries(exchange.headerNames.map((name) => [name, '••••'])),
            },
            body,
            signedContent: signedContent(event.id, timestamp, body),
          }
        : null,
    logoutToken:
      token === null ? null : ((await checkLogoutToken(runtime, token, { audience, at: attempt.at })) ?? null),
    response: exchange?.response ?? null,
  }
}
