import { and, desc, eq, gt, isNull, lt, lte, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { deliveries, events, notificationPreferences } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'

const preferencesOf = statement('notification_preferences', (db) =>
  db
    .select()
    .from(notificationPreferences)
    .where(eq(notificationPreferences.userId, param(notificationPreferences.userId, 'userId'))),
)

export async function findPreferences(db: Reader, userId: number) {
  const [row] = await preferencesOf(db, { userId })
  return row
}

export async function savePreferences(
  tx: Transaction,
  userId: number,
  change: { choices?: string; telegramEndedAt?: Date | null; telegramEndReason?: string | null },
): Promise<void> {
  await tx
    .insert(notificationPreferences)
    .values({ userId, choices: '{}', ...change })
    .onConflictDoUpdate({ target: notificationPreferences.userId, set: change })
}

const inbox = sql`${deliveries.channel} = 'inbox'`

/** A person's inbox, newest first, or with `after` what came since, oldest first. */
export function listInbox(db: Reader, userId: number, page: { before?: number; after?: number; limit: number }) {
  const { id, type, payloadSealed, createdAt, readAt } = events
  return db
    .select({ id, type, payloadSealed, createdAt, readAt })
    .from(events)
    .innerJoin(deliveries, and(eq(deliveries.eventId, events.id), inbox, eq(deliveries.status, 'delivered')))
    .where(
      and(
        eq(events.userId, userId),
        page.before === undefined ? undefined : lt(events.id, page.before),
        page.after === undefined ? undefined : gt(events.id, page.after),
      ),
    )
    .orderBy(page.after === undefined ? desc(events.id) : events.id)
    .limit(page.limit)
}

export type InboxRow = Awaited<ReturnType<typeof listInbox>>[number]

/** Marks a person's notifications as read, up to one of them; returns how many were not yet. */
export async function markRead(tx: Transaction, userId: number, upTo: number, now: Date): Promise<number> {
  const rows = await tx
    .update(events)
    .set({ readAt: now })
    .where(and(eq(events.userId, userId), lte(events.id, upTo), isNull(events.readAt)))
    .returning({ id: events.id })
  return rows.length
}
