import { and, asc, count, desc, eq, gte, inArray, isNotNull, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apps, deliveries, laneHours, webhookEndpoints } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'
import type { Subscription } from '#server/app/subscriptions.ts'

export type EndpointRow = typeof webhookEndpoints.$inferSelect

const byId = statement('endpoint_by_id', (db) =>
  db
    .select()
    .from(webhookEndpoints)
    .where(eq(webhookEndpoints.id, param(webhookEndpoints.id, 'id'))),
)

export async function findEndpoint(db: Reader, id: number): Promise<EndpointRow | undefined> {
  const [row] = await byId(db, { id })
  return row
}

const state = statement('endpoint_state', (db) =>
  db
    .select({
      version: webhookEndpoints.version,
      state: webhookEndpoints.state,
      openUntil: webhookEndpoints.openUntil,
      openings: webhookEndpoints.openings,
    })
    .from(webhookEndpoints)
    .where(eq(webhookEndpoints.id, param(webhookEndpoints.id, 'id'))),
)

/** What may have changed since an endpoint was read. */
export async function findEndpointState(db: Reader, id: number) {
  const [row] = await state(db, { id })
  return row
}

export function listEndpoints(db: Reader, appId: number): PromiseLike<EndpointRow[]> {
  return db.select().from(webhookEndpoints).where(eq(webhookEndpoints.appId, appId)).orderBy(asc(webhookEndpoints.id))
}

/** Endpoints that Gatehouse gave up, of all apps, the last one first. */
export function listDisabled(db: Reader): PromiseLike<EndpointRow[]> {
  return db
    .select()
    .from(webhookEndpoints)
    .where(eq(webhookEndpoints.state, 'disabled'))
    .orderBy(desc(webhookEndpoints.stateAt))
    .limit(200)
}

export async function insertEndpoint(
  tx: Transaction,
  endpoint: typeof webhookEndpoints.$inferInsert,
): Promise<EndpointRow> {
  const [row] = await tx.insert(webhookEndpoints).values(endpoint).returning()
  return row!
}

/** Changes what an operator may change; every copy in memory becomes stale. */
export async function updateEndpoint(
  tx: Transaction,
  id: number,
  change: Partial<EndpointRow>,
): Promise<EndpointRow | undefined> {
  const [row] = await tx
    .update(webhookEndpoints)
    .set({ ...change, version: sql`${webhookEndpoints.version} + 1` })
    .where(eq(webhookEndpoints.id, id))
    .returning()
  return row
}

/** Notes how an endpoint does, which is not a change of its settings. */
export async function noteHealth(tx: Transaction, id: number, health: Partial<EndpointRow>): Promise<void> {
  await tx.update(webhookEndpoints).set(health).where(eq(webhookEndpoints.id, id))
}

export async function deleteEndpoint(tx: Transaction, id: number): Promise<boolean> {
  // What it was owed stays in the log, and nobody will send it.
  await tx
    .update(deliveries)
    .set({ status: 'skipped', reason: 'endpoint_removed', nextAt: null, worker: null })
    .where(and(eq(deliveries.lane, id), inArray(deliveries.status, ['pending', 'sending', 'held'])))
  const rows = await tx
    .delete(webhookEndpoints)
    .where(eq(webhookEndpoints.id, id))
    .returning({ id: webhookEndpoints.id })
  return rows.length > 0
}

/** Writes what an app's endpoints want into the app's row, so that whoever holds the app knows it, and makes every copy stale. */
export async function saveSubscriptions(tx: Transaction, appId: number): Promise<void> {
  const rows = await listEndpoints(tx, appId)
  const subscriptions: Subscription[] = rows.map((row) => ({
    endpointId: row.id,
    types: JSON.parse(row.types) as string[],
    extended: row.payloadFormat === 'extended',
    ordered: row.ordered,
    active: row.state === 'active',
  }))
  await tx
    .update(apps)
    .set({ subscriptions: JSON.stringify(subscriptions), version: sql`${apps.version} + 1` })
    .where(eq(apps.id, appId))
}

/** Public halves of all key pairs that sign. */
export function listPublicKeys(db: Reader) {
  const { id, publicKey } = webhookEndpoints
  return db.select({ id, publicKey }).from(webhookEndpoints).where(isNotNull(publicKey)).orderBy(asc(id))
}

/** How many deliveries of endpoints wait, are held or are dead, by endpoint. */
export async function countOpen(db: Reader, endpoints: number[]) {
  if (endpoints.length === 0) return []
  // One status after the other: each is spelled as its index is (db/schema/delivery.ts), and inside a transaction there is one connection.
  const counted = []
  for (const status of ['pending', 'held', 'dead'] as const) {
    const rows = await db
      .select({ lane: deliveries.lane, n: count() })
      .from(deliveries)
      .where(and(inArray(deliveries.lane, endpoints), sql`${deliveries.status} = ${sql.raw(`'${status}'`)}`))
      .groupBy(deliveries.lane)
    counted.push(...rows.map((row) => ({ ...row, status })))
  }
  return counted
}

/** What endpoints did by the hour since `from` (whole hours since the epoch). */
export async function listHours(db: Reader, endpoints: number[], from: number) {
  if (endpoints.length === 0) return []
  return db
    .select()
    .from(laneHours)
    .where(and(inArray(laneHours.lane, endpoints), gte(laneHours.hour, from)))
    .orderBy(asc(laneHours.hour))
}
