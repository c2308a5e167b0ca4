import type { App } from '#server/app/app.ts'
import { markOf, rowOf } from '#server/delivery/finish.ts'
import type { Attempt } from '#server/delivery/lane.ts'
import { eventsOf, insertAttempts, insertDelivery, markSentAside, type Claimed } from '#server/delivery/store.ts'
import { AppError } from '#server/error.ts'
import { recordEvent } from '#server/event/record.ts'
import { assertContent } from '#server/event/schema.ts'
import { typesOf } from '#server/event/types.ts'
import type { Runtime } from '#server/runtime.ts'
import { targetOf } from './lane.ts'
import { LOGOUT_TYPE } from './logoutToken.ts'
import { sendWebhook } from './send.ts'
import type { EndpointRow } from './store.ts'

/** Should the process die while it sends, the test goes out by the ordinary way after this long. */
const LEFT_BEHIND_MS = 60_000

export type TestEvent = { type: string; user: string; content?: Record<string, unknown> | undefined }

/**
 * Sends one endpoint a test event at once, whatever its state, and waits for what it answers. The event is in the log as a test; a failure is not
 * retried and says nothing about the endpoint's health.
 * @throws AppError invalid_request
 */
export async function tryOut(
  runtime: Runtime,
  app: App,
  row: EndpointRow,
  test: TestEvent,
): Promise<{ eventId: number; attempt: Attempt }> {
  const type = (await typesOf(runtime, runtime.db, app)).get(test.type)
  if (!type) throw wrongType('is no event type of this app')
  if (row.payloadFormat === 'logout_token' && type.key !== LOGOUT_TYPE)
    throw wrongType(`is never sent to an endpoint for logout tokens; ${LOGOUT_TYPE} is`)
  const content = test.content ?? type.sample
  assertContent(type, content)
  const now = runtime.now()
  const extended = row.payloadFormat === 'extended'
  const { eventId, id } = await runtime.db.transaction(async (tx) => {
    // Nobody but this endpoint is told.
    const alone = { ...app, subscriptions: [] }
    const eventId = (await recordEvent(runtime, tx, {
      app: alone,
      type: type.key,
      user: test.user,
      content,
      source: 'test',
    }))!
    const nextAt = new Date(now.getTime() + LEFT_BEHIND_MS)
    const id = await insertDelivery(tx, {
      eventId,
      channel: 'webhook',
      lane: row.id,
      status: 'pending',
      nextAt,
      extended,
    })
    return { eventId, id }
  })
  const delivery: Claimed = { id, eventId, step: 0, tries: 0, seq: null, extended }
  const event = (await eventsOf(runtime.db, [eventId])).get(eventId)!
  const attempt = await sendWebhook(runtime, targetOf(runtime, row), delivery, event)
  const delivered = attempt.verdict.kind === 'delivered'
  await runtime.db.transaction(async (tx) => {
    const finishedAt = runtime.now()
    const failed = markOf({ delivery, attempt: { ...attempt, verdict: { kind: 'dead' } } }, finishedAt)
    const mark = delivered ? { ...failed, status: 'delivered' as const } : failed
    if (await markSentAside(tx, mark)) await insertAttempts(tx, [rowOf({ delivery, attempt })])
  })
  return { eventId, attempt }
}

const wrongType = (message: string) =>
  new AppError('invalid_request', 'The input does not fit; see errors', { errors: [{ path: 'type', message }] })
