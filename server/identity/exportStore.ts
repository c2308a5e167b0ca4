import { asc, eq } from 'drizzle-orm'
import type { Reader } from '#server/db/database.ts'
import { blocks, events, findings, notificationPreferences } from '#server/db/schema.ts'

/** What is held on a user besides what their identities, profiles and sessions are. */
export async function listHeld(db: Reader, userId: number) {
  const [told, preferences, seen, kept] = await Promise.all([
    db.select().from(events).where(eq(events.userId, userId)).orderBy(asc(events.id)),
    db.select().from(notificationPreferences).where(eq(notificationPreferences.userId, userId)),
    db.select().from(findings).where(eq(findings.userId, userId)).orderBy(asc(findings.id)),
    db.select().from(blocks).where(eq(blocks.userId, userId)).orderBy(asc(blocks.id)),
  ])
  return { events: told, preferences: preferences[0], findings: seen, blocks: kept }
}
