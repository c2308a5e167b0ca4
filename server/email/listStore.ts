import { and, asc, count, eq, gt, gte, inArray, isNull, lte, ne, or } from 'drizzle-orm'
import { byAge, isMadeWithin, type Place } from '#server/db/byAge.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apps, emails, emailSuppressions } from '#server/db/schema.ts'
import type { EmailRow, SuppressionRow } from './store.ts'

export type EmailFilter = {
  appId?: number | undefined
  userId?: number | undefined
  kind?: string | undefined
  status?: EmailRow['status'] | undefined
  toHash?: Buffer | undefined
  /** An address whose mails are not told of. */
  butTo?: Buffer | undefined
  id?: number | undefined
  from?: Date | undefined
  to?: Date | undefined
  /** Apps the asking operator may see; undefined is all. */
  only?: number[] | undefined
}

function emailsWhere(filter: EmailFilter) {
  return and(
    filter.appId === undefined ? undefined : eq(emails.appId, filter.appId),
    filter.userId === undefined ? undefined : eq(emails.userId, filter.userId),
    filter.kind ? eq(emails.kind, filter.kind) : undefined,
    filter.status ? eq(emails.status, filter.status) : undefined,
    filter.toHash ? eq(emails.toHash, filter.toHash) : undefined,
    filter.butTo ? ne(emails.toHash, filter.butTo) : undefined,
    filter.id === undefined ? undefined : eq(emails.id, filter.id),
    filter.from ? gte(emails.createdAt, filter.from) : undefined,
    filter.to ? lte(emails.createdAt, filter.to) : undefined,
    filter.only ? inArray(emails.appId, filter.only.length > 0 ? filter.only : [-1]) : undefined,
  )
}

const withinSpan = (db: Reader, filter: EmailFilter) =>
  isMadeWithin(emails.id, filter, (since, limit) =>
    db
      .select({ id: emails.id })
      .from(emails)
      .where(gte(emails.createdAt, since))
      .orderBy(asc(emails.createdAt))
      .limit(limit),
  )

/** Mails, newest first unless the place says otherwise. */
export async function listEmails(db: Reader, page: EmailFilter & Partial<Place> & { limit: number }) {
  const { from, order } = byAge(emails.id, { newestFirst: true, ...page })
  return db
    .select({ mail: emails, appName: apps.name })
    .from(emails)
    .innerJoin(apps, eq(apps.id, emails.appId))
    .where(and(emailsWhere(page), await withinSpan(db, page), from))
    .orderBy(order)
    .limit(page.limit)
}

export type ListedEmail = Awaited<ReturnType<typeof listEmails>>[number]

/** How many mails match, counted up to `most`. */
export async function countEmails(db: Reader, filter: EmailFilter, most: number): Promise<number> {
  const where = and(emailsWhere(filter), await withinSpan(db, filter))
  const some = db.select({ id: emails.id }).from(emails).where(where).limit(most).as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
}

/** Addresses that get no mail at a moment. */
export function listSuppressions(
  db: Reader,
  page: Place & { now: Date; limit: number; toHash?: Buffer | undefined },
): PromiseLike<SuppressionRow[]> {
  const { from, order } = byAge(emailSuppressions.id, page)
  return db
    .select()
    .from(emailSuppressions)
    .where(
      and(
        or(isNull(emailSuppressions.until), gt(emailSuppressions.until, page.now)),
        from,
        page.toHash ? eq(emailSuppressions.toHash, page.toHash) : undefined,
      ),
    )
    .orderBy(order)
    .limit(page.limit)
}

/** @returns what was taken off the list */
export async function deleteSuppression(tx: Transaction, id: number): Promise<SuppressionRow | undefined> {
  const [row] = await tx.delete(emailSuppressions).where(eq(emailSuppressions.id, id)).returning()
  return row
}
