import { and, asc, eq, lt, notInArray, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { deliveries, outboxWorkers } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'
import { isSending } from './store.ts'

export async function insertWorker(tx: Transaction, aliveUntil: Date): Promise<number> {
  const [row] = await tx.insert(outboxWorkers).values({ aliveUntil }).returning({ id: outboxWorkers.id })
  return row!.id
}

/** Says that a worker lives; false when it was taken for dead meanwhile. */
export async function renewWorker(tx: Transaction, id: number, aliveUntil: Date): Promise<boolean> {
  const rows = await tx
    .update(outboxWorkers)
    .set({ aliveUntil })
    .where(eq(outboxWorkers.id, id))
    .returning({ id: outboxWorkers.id })
  return rows.length > 0
}

/** Gives back what a worker has not sent, and forgets it. */
export async function removeWorker(tx: Transaction, id: number): Promise<void> {
  await tx
    .update(deliveries)
    .set({ status: 'pending', worker: null })
    .where(and(eq(deliveries.worker, id), isSending))
  await tx.delete(outboxWorkers).where(eq(outboxWorkers.id, id))
}

/** Whether something is being sent by a worker that has died. */
export async function hasOrphans(db: Reader, now: Date): Promise<boolean> {
  const living = db
    .select({ id: outboxWorkers.id })
    .from(outboxWorkers)
    .where(sql`${outboxWorkers.aliveUntil} >= ${sql.param(now, outboxWorkers.aliveUntil)}`)
  const rows = await db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(isSending, notInArray(deliveries.worker, living)))
    .limit(1)
  return rows.length > 0
}

/** Lets what dead workers were sending be sent again, at once and without counting a try; returns how many. */
export async function reviveOrphans(tx: Transaction, now: Date): Promise<number> {
  await tx.delete(outboxWorkers).where(lt(outboxWorkers.aliveUntil, now))
  const living = tx.select({ id: outboxWorkers.id }).from(outboxWorkers)
  const rows = await tx
    .update(deliveries)
    .set({ status: 'pending', worker: null })
    .where(and(isSending, notInArray(deliveries.worker, living)))
    .returning({ id: deliveries.id })
  return rows.length
}

const alive = statement('workers_alive', (db) =>
  db
    .select({ id: outboxWorkers.id })
    .from(outboxWorkers)
    .where(sql`${outboxWorkers.aliveUntil} >= ${param(outboxWorkers.aliveUntil, 'now')}`)
    .orderBy(asc(outboxWorkers.id)),
)

/** The workers that send at this moment, in the order of their numbers. */
export async function livingWorkers(db: Reader, now: Date): Promise<number[]> {
  return (await alive(db, { now })).map(({ id }) => id)
}
