import { and, eq, inArray, max, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { deliveries, emails } from '#server/db/schema.ts'
import type { DeliveryRow } from './store.ts'

export type MailChange = Pick<DeliveryRow, 'status' | 'reason' | 'nextAt' | 'finishedAt'> & { tried: boolean }

/** Writes what became of the mail that a delivery is; its number of tries, or undefined when the event is gone. */
export async function updateMailDelivery(tx: Transaction, id: number, change: MailChange): Promise<number | undefined> {
  const { tried, ...rest } = change
  const [row] = await tx
    .update(deliveries)
    .set({ ...rest, ...(tried && { tries: sql`${deliveries.tries} + 1` }) })
    .where(and(eq(deliveries.id, id), eq(deliveries.channel, 'email')))
    .returning({ tries: deliveries.tries })
  return row?.tries
}

/** The newest mail of each delivery that is one, by the delivery's number. */
export async function mailsOf(db: Reader, deliveryIds: number[]): Promise<Map<number, number>> {
  if (deliveryIds.length === 0) return new Map()
  const rows = await db
    .select({ deliveryId: emails.deliveryId, id: max(emails.id) })
    .from(emails)
    .where(inArray(emails.deliveryId, deliveryIds))
    .groupBy(emails.deliveryId)
  return new Map(rows.map(({ deliveryId, id }) => [deliveryId!, id!]))
}
