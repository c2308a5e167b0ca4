import { deliveries, events } from '../server/db/schema.ts'
import { businessTypes } from '../server/event/businessTypes.ts'
import { writePayload } from '../server/event/payload.ts'
import { subjectKey } from '../server/event/subject.ts'
import type { Runtime } from '../server/runtime.ts'

const BATCH = 500
const PEOPLE = 50_000
const DAY_MS = 86_400_000

/** Where the log is filled: apps, of which the last is a small one, and an endpoint of each. */
export type Place = { appId: number; endpointId: number }

type Delivery = typeof deliveries.$inferInsert

/**
 * A log of so many deliveries over thirty days: two in three events go to a webhook alone, the others to the inbox or the bot besides. Nearly all are
 * delivered; the last app has one event in two thousand.
 */
export async function fillLog(runtime: Runtime, places: Place[], count: number): Promise<void> {
  const now = Date.now()
  const small = places.at(-1)!
  const large = places.slice(0, -1)
  let [written, n] = [0, 0]
  while (written < count) {
    const batch = Array.from({ length: BATCH }, () => n++)
    const rows = batch.map((n) => {
      const place = n % 2_000 === 1_999 ? small : large[n % large.length]!
      const type = businessTypes[(n * 7) % businessTypes.length]!
      const user = `u${(n * 13) % PEOPLE}`
      const content = JSON.stringify({ symbol: 'ONE', amount: '0.45976983', number: String(n) })
      const payload = writePayload({ user, title: type.key, body: type.key, op: type.op, time: '1700000000', content })
      return {
        appId: place.appId,
        type: type.key,
        userId: null,
        subjectKey: subjectKey(runtime, place.appId, user),
        payloadSealed: runtime.vault.seal(payload, 'events.payload'),
        source: 'api' as const,
        createdAt: new Date(now - 30 * DAY_MS + Math.floor((written / count) * 30 * DAY_MS) + (n % BATCH)),
      }
    })
    written += await runtime.db.transaction(async (tx) => {
      const made = await tx.insert(events).values(rows).returning({ id: events.id, createdAt: events.createdAt })
      const owed = made.flatMap(({ id, createdAt }, nth) =>
        owedFor(batch[nth]!, id, createdAt, places, rows[nth]!.appId),
      )
      for (let from = 0; from < owed.length; from += BATCH)
        await tx.insert(deliveries).values(owed.slice(from, from + BATCH))
      return owed.length
    })
  }
}

function owedFor(n: number, eventId: number, at: Date, places: Place[], appId: number): Delivery[] {
  const lane = places.find((place) => place.appId === appId)!.endpointId
  const finished = { finishedAt: new Date(at.getTime() + 200), tries: 1, step: 1, reason: 'ok' }
  const owed: Delivery[] = [{ eventId, channel: 'webhook', lane, ...fateOf(n, at, finished) }]
  if (n % 3 === 0) owed.push({ eventId, channel: 'inbox', status: 'delivered', finishedAt: at })
  if (n % 9 === 0)
    owed.push(
      n % 90 === 0
        ? { eventId, channel: 'telegram', status: 'skipped', reason: 'no_telegram', finishedAt: at }
        : { eventId, channel: 'telegram', lane: -appId, status: 'delivered', ...finished },
    )
  return owed
}

function fateOf(n: number, at: Date, finished: object): Pick<Delivery, 'status'> & Partial<Delivery> {
  const later = new Date(Date.now() + 3_600_000)
  if (n % 97 === 0) return { status: 'dead', tries: 10, step: 10, reason: 'http_5xx', finishedAt: at }
  if (n % 199 === 0) return { status: 'held', reason: 'endpoint_off' }
  if (n % 499 === 0) return { status: 'pending', nextAt: later, tries: 3, step: 3, reason: 'http_5xx' }
  if (n % 997 === 0) return { status: 'pending', nextAt: later }
  return { status: 'delivered', ...finished }
}
