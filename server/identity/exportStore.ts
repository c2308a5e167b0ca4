import { and, asc, desc, eq, inArray } from 'drizzle-orm'
import type { Reader } from '#server/db/database.ts'
import {
  auditLog,
  blocks,
  emails,
  emailSuppressions,
  events,
  findings,
  linkCodes,
  notificationPreferences,
  signatureCodes,
  watchedWallets,
} from '#server/db/schema.ts'

/** Of what was noted of somebody over the years, the latest. */
const MOST_NOTED = 1_000

/** What is held on a user besides what their identities, profiles and sessions are. */
export async function listHeld(db: Reader, userId: number) {
  const [told, preferences, seen, kept, mails, noted, reset, wish] = await Promise.all([
    db.select().from(events).where(eq(events.userId, userId)).orderBy(asc(events.id)),
    db.select().from(notificationPreferences).where(eq(notificationPreferences.userId, userId)),
    db.select().from(findings).where(eq(findings.userId, userId)).orderBy(asc(findings.id)),
    db.select().from(blocks).where(eq(blocks.userId, userId)).orderBy(asc(blocks.id)),
    db.select().from(emails).where(eq(emails.userId, userId)).orderBy(asc(emails.id)),
    db
      .select()
      .from(auditLog)
      .where(and(eq(auditLog.targetKind, 'user'), eq(auditLog.targetId, userId)))
      .orderBy(desc(auditLog.id))
      .limit(MOST_NOTED),
    db.select().from(signatureCodes).where(eq(signatureCodes.userId, userId)),
    db.select().from(linkCodes).where(eq(linkCodes.userId, userId)),
  ])
  return {
    events: told,
    preferences: preferences[0],
    findings: seen,
    blocks: kept,
    mails,
    noted,
    reset: reset[0],
    wish: wish[0],
  }
}

/** How far some wallets are followed on the chain. */
export function listWatched(db: Reader, identityIds: number[]) {
  return db
    .select()
    .from(watchedWallets)
    .where(inArray(watchedWallets.identityId, identityIds.length > 0 ? identityIds : [-1]))
}

/** Why mails to an address are held back, if they are. */
export async function findSuppressed(db: Reader, toHash: Buffer) {
  const [row] = await db.select().from(emailSuppressions).where(eq(emailSuppressions.toHash, toHash))
  return row
}
