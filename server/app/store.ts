import { and, asc, count, eq, gt, isNull, or, sql } from 'drizzle-orm'
import { byAge, type Place } from '#server/db/byAge.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { apiKeys, apps, sessions } from '#server/db/schema.ts'
import { hexOf } from '#server/db/bytes.ts'
import { param, statement } from '#server/db/statement.ts'

export type AppRow = typeof apps.$inferSelect

const versionBySlug = statement(
  'app_version_by_slug',
  (db) =>
    db
      .select({ id: apps.id, version: apps.version })
      .from(apps)
      .where(eq(apps.slug, param(apps.slug, 'slug'))),
  { oftenSame: true },
)
const versionById = statement(
  'app_version_by_id',
  (db) =>
    db
      .select({ id: apps.id, version: apps.version })
      .from(apps)
      .where(eq(apps.id, param(apps.id, 'id'))),
  { oftenSame: true },
)
const rowById = statement('app_by_id', (db) =>
  db
    .select()
    .from(apps)
    .where(eq(apps.id, param(apps.id, 'id'))),
)

export async function findVersion(db: Reader, key: { id: number } | { slug: string }) {
  const [found] = 'id' in key ? await versionById(db, key) : await versionBySlug(db, key)
  return found
}

export async function findApp(db: Reader, id: number): Promise<AppRow | undefined> {
  const [row] = await rowById(db, { id })
  return row
}

export async function insertApp(tx: Transaction, app: typeof apps.$inferInsert): Promise<AppRow> {
  const [row] = await tx.insert(apps).values(app).returning()
  return row!
}

/** Writes only when the version is still `version`; returns undefined when somebody else was first. */
export async function updateApp(
  tx: Transaction,
  id: number,
  version: number,
  change: Partial<AppRow>,
): Promise<AppRow | undefined> {
  const [row] = await tx
    .update(apps)
    .set({ ...change, version: version + 1 })
    .where(and(eq(apps.id, id), eq(apps.version, version)))
    .returning()
  return row
}

export async function deleteApp(tx: Transaction, id: number): Promise<void> {
  await tx.delete(apps).where(eq(apps.id, id))
}

/** `only` limits to what an operator may see. */
type AppFilter = { q?: string; only?: number[] | undefined }

function appsWhere(filter: AppFilter) {
  const like = filter.q ? `%${filter.q.toLowerCase().replace(/[\\%_]/g, '\\$&')}%` : undefined
  return and(
    like
      ? or(sql`lower(${apps.name}) like ${like} escape '\\'`, sql`${apps.slug} like ${like} escape '\\'`)
      : undefined,
    filter.only ? sql`${apps.id} in ${filter.only.length ? filter.only : [-1]}` : undefined,
  )
}

/** Apps, oldest first; `after` is the last of the page before. */
export function listApps(db: Reader, page: AppFilter & Place & { limit: number }) {
  const { from, order } = byAge(apps.id, page)
  return db
    .select()
    .from(apps)
    .where(and(from, appsWhere(page)))
    .orderBy(order)
    .limit(page.limit)
}

export async function countApps(db: Reader, filter: AppFilter, most: number): Promise<number> {
  const some = db.select({ id: apps.id }).from(apps).where(appsWhere(filter)).limit(most).as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
}

export async function countLiveSessions(db: Reader, appId: number, now: Date): Promise<number> {
  const [row] = await db
    .select({ n: count() })
    .from(sessions)
    .where(and(eq(sessions.appId, appId), isNull(sessions.endedAt), gt(sessions.expiresAt, now)))
  return row!.n
}

export function listAllApps(db: Reader) {
  return db.select().from(apps).orderBy(asc(apps.id))
}

export type ApiKeyRow = typeof apiKeys.$inferSelect

const keyById = statement(
  'api_key_by_id',
  (db) =>
    db
      .select({
        key: {
          id: apiKeys.id,
          appId: apiKeys.appId,
          name: apiKeys.name,
          hash: hexOf(apiKeys.tokenHash),
          scopes: apiKeys.scopes,
          lastUsedAt: apiKeys.lastUsedAt,
          expiresAt: apiKeys.expiresAt,
        },
        appVersion: apps.version,
      })
      .from(apiKeys)
      .innerJoin(apps, eq(apps.id, apiKeys.appId))
      .where(eq(apiKeys.id, param(apiKeys.id, 'id'))),
  { oftenSame: true },
)

export type FoundApiKey = Awaited<ReturnType<typeof keyById>>[number]

/** A key with the version of its app. */
export async function findApiKey(db: Reader, id: number): Promise<FoundApiKey | undefined> {
  const [row] = await keyById(db, { id })
  return row
}

export function listApiKeys(db: Reader, appId: number): PromiseLike<ApiKeyRow[]> {
  return db.select().from(apiKeys).where(eq(apiKeys.appId, appId)).orderBy(asc(apiKeys.id))
}

export async function insertApiKey(tx: Transaction, key: typeof apiKeys.$inferInsert): Promise<ApiKeyRow> {
  const [row] = await tx.insert(apiKeys).values(key).returning()
  return row!
}

export async function deleteApiKey(tx: Transaction, appId: number, id: number): Promise<ApiKeyRow | undefined> {
  const [row] = await tx
    .delete(apiKeys)
    .where(and(eq(apiKeys.id, id), eq(apiKeys.appId, appId)))
    .returning()
  return row
}

export async function touchApiKey(tx: Transaction, id: number, now: Date): Promise<void> {
  await tx.update(apiKeys).set({ lastUsedAt: now }).where(eq(apiKeys.id, id))
}
