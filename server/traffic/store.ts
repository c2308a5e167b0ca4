import { and, desc, eq, gt, gte, inArray, isNotNull, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import { byAge, type Place } from '#server/db/byAge.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { blocks, facts, findings, identities, sessions, trafficRules, tries } from '#server/db/schema.ts'
import { changeStatement, param, statement } from '#server/db/statement.ts'

export type BlockRow = typeof blocks.$inferSelect
export type FindingRow = typeof findings.$inferSelect
export type RuleRow = typeof trafficRules.$inferSelect

/** Moves with every change of blocks and rules, so that all processes know when to read them again. */
const VERSION = 'traffic_version'

const versionRead = statement('traffic_version', (db) =>
  db
    .select({ value: facts.value })
    .from(facts)
    .where(eq(facts.key, param(facts.key, 'key'))),
)

export async function readVersion(db: Reader): Promise<string> {
  const [row] = await versionRead(db, { key: VERSION })
  return row?.value ?? ''
}

export async function moveVersion(tx: Transaction, value: string): Promise<void> {
  await tx.insert(facts).values({ key: VERSION, value }).onConflictDoUpdate({ target: facts.key, set: { value } })
}

const current = (now: Date) => or(isNull(blocks.expiresAt), gt(blocks.expiresAt, now))

export function listCurrentBlocks(db: Reader, now: Date, most: number): PromiseLike<BlockRow[]> {
  return db.select().from(blocks).where(current(now)).orderBy(desc(blocks.id)).limit(most)
}

export async function insertBlock(tx: Transaction, block: Omit<BlockRow, 'id'>): Promise<BlockRow> {
  const [row] = await tx.insert(blocks).values(block).returning()
  return row!
}

export async function deleteBlock(tx: Transaction, id: number): Promise<BlockRow | undefined> {
  const [row] = await tx.delete(blocks).where(eq(blocks.id, id)).returning()
  return row
}

/** Takes away what says the same already; the latest of it comes first. */
export async function deleteSame(
  tx: Transaction,
  { effect, kind, value, appId }: Pick<BlockRow, 'effect' | 'kind' | 'value' | 'appId'>,
): Promise<BlockRow[]> {
  const rows = await tx
    .delete(blocks)
    .where(
      and(
        eq(blocks.effect, effect),
        eq(blocks.kind, kind),
        value === null ? isNull(blocks.value) : eq(blocks.value, value),
        appId === null ? isNull(blocks.appId) : eq(blocks.appId, appId),
      ),
    )
    .returning()
  return rows.sort((one, other) => other.id - one.id)
}

export async function findBlock(db: Reader, id: number): Promise<BlockRow | undefined> {
  const [row] = await db.select().from(blocks).where(eq(blocks.id, id))
  return row
}

/** Blocks of users that have run out since they were made. */
export function listExpiredUserBlocks(db: Reader, now: Date): PromiseLike<BlockRow[]> {
  return db
    .select()
    .from(blocks)
    .where(and(eq(blocks.kind, 'user'), isNotNull(blocks.expiresAt), lte(blocks.expiresAt, now)))
    .limit(500)
}

export async function deleteExpiredBlocks(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx
    .delete(blocks)
    .where(and(isNotNull(blocks.expiresAt), lte(blocks.expiresAt, before)))
    .returning({ id: blocks.id })
  return rows.length
}

/** What an operator may see: what holds everywhere, and what holds in their apps. */
const seen = (column: typeof blocks.appId | typeof findings.appId, only: number[] | undefined): SQL | undefined =>
  only && or(isNull(column), inArray(column, only.length > 0 ? only : [-1]))

export type BlockFilter = {
  appId?: number | undefined
  kind?: BlockRow['kind'] | undefined
  effect?: BlockRow['effect'] | undefined
  only?: number[] | undefined
}

export function listBlocks(
  db: Reader,
  filter: BlockFilter & Partial<Place>,
  now: Date,
  limit: number,
): PromiseLike<BlockRow[]> {
  const { from, order } = byAge(blocks.id, { newestFirst: true, ...filter })
  return db
    .select()
    .from(blocks)
    .where(
      and(
        current(now),
        filter.appId === undefined ? undefined : or(eq(blocks.appId, filter.appId), isNull(blocks.appId)),
        filter.kind && eq(blocks.kind, filter.kind),
        filter.effect && eq(blocks.effect, filter.effect),
        seen(blocks.appId, filter.only),
        from,
      ),
    )
    .orderBy(order)
    .limit(limit)
}

export async function insertFinding(tx: Transaction, finding: Omit<FindingRow, 'id'>): Promise<number> {
  const [row] = await tx.insert(findings).values(finding).returning({ id: findings.id })
  return row!.id
}

export async function updateFinding(tx: Transaction, id: number, change: Partial<FindingRow>): Promise<void> {
  await tx.update(findings).set(change).where(eq(findings.id, id))
}

export type FindingFilter = {
  appId?: number | undefined
  detector?: string | undefined
  /** An address, or the network around it. */
  values?: string[] | undefined
  userId?: number | undefined
  from?: Date | undefined
  to?: Date | undefined
  only?: number[] | undefined
}

export function listFindings(
  db: Reader,
  filter: FindingFilter & Partial<Place>,
  limit: number,
): PromiseLike<FindingRow[]> {
  const { from, order } = byAge(findings.id, { newestFirst: true, ...filter })
  return db
    .select()
    .from(findings)
    .where(
      and(
        filter.appId === undefined ? undefined : eq(findings.appId, filter.appId),
        filter.detector ? eq(findings.detector, filter.detector) : undefined,
        filter.values ? inArray(findings.value, filter.values) : undefined,
        filter.userId === undefined ? undefined : eq(findings.userId, filter.userId),
        filter.from && gte(findings.lastSeenAt, filter.from),
        filter.to && lte(findings.startedAt, filter.to),
        seen(findings.appId, filter.only),
        from,
      ),
    )
    .orderBy(order)
    .limit(limit)
}

/** @param limit rows at the most */
export async function deleteFindings(tx: Transaction, before: Date, limit: number): Promise<number> {
  const some = tx.select({ id: findings.id }).from(findings).where(lt(findings.lastSeenAt, before)).limit(limit)
  const rows = await tx.delete(findings).where(inArray(findings.id, some)).returning({ id: findings.id })
  return rows.length
}

export function listRules(db: Reader): PromiseLike<RuleRow[]> {
  return db.select().from(trafficRules)
}

export async function saveRule(tx: Transaction, rule: RuleRow): Promise<void> {
  await tx.insert(trafficRules).values(rule).onConflictDoUpdate({ target: trafficRules.detector, set: rule })
}

export type TryRow = typeof tries.$inferSelect

const addition = changeStatement('tries_add', (db) =>
  db
    .insert(tries)
    .values({
      hour: sql.placeholder('hour'),
      appId: sql.placeholder('appId'),
      network: sql.placeholder('network'),
      address: sql.placeholder('address'),
      device: sql.placeholder('device'),
      succeeded: sql.placeholder('succeeded'),
      failed: sql.placeholder('failed'),
      stopped: sql.placeholder('stopped'),
    })
    .onConflictDoUpdate({
      target: [tries.hour, tries.appId, tries.address, tries.device],
      set: {
        succeeded: sql`${tries.succeeded} + excluded.succeeded`,
        failed: sql`${tries.failed} + excluded.failed`,
        stopped: sql`${tries.stopped} + excluded.stopped`,
      },
    }),
)

export async function addTries(tx: Transaction, rows: TryRow[]): Promise<void> {
  for (const row of rows) await addition(tx, row)
}

export type TriesFilter = {
  fromHour: number
  toHour: number
  appIds?: number[] | undefined
  address?: string | undefined
}

const triesWhere = (filter: TriesFilter) =>
  and(
    gte(tries.hour, filter.fromHour),
    lte(tries.hour, filter.toHour),
    filter.appIds && inArray(tries.appId, filter.appIds.length > 0 ? filter.appIds : [-1]),
    filter.address ? eq(tries.address, filter.address) : undefined,
  )

const sums = {
  succeeded: sql<number>`sum(${tries.succeeded})`.mapWith(Number),
  failed: sql<number>`sum(${tries.failed})`.mapWith(Number),
  stopped: sql<number>`sum(${tries.stopped})`.mapWith(Number),
}

/** Whether anybody signed in at an address or in a network since an hour. */
export async function hasSucceeded(
  db: Reader,
  appId: number,
  { kind, value }: { kind: 'address' | 'network'; value: string },
  sinceHour: number,
): Promise<boolean> {
  const place = kind === 'address' ? tries.address : tries.network
  const rows = await db
    .select({ hour: tries.hour })
    .from(tries)
    .where(and(eq(place, value), gte(tries.hour, sinceHour), eq(tries.appId, appId), gt(tries.succeeded, 0)))
    .limit(1)
  return rows.length > 0
}

/** Addresses from which somebody signed in since, the latest of them. */
export async function listPlacesOf(
  db: Reader,
  who: { appId: number; kind: 'telegram' | 'ton'; subjectHash: Buffer },
  since: Date,
): Promise<(string | null)[]> {
  const rows = await db
    .select({ ip: sessions.ip })
    .from(identities)
    .innerJoin(sessions, eq(sessions.userId, identities.userId))
    .where(
      and(
        eq(identities.appId, who.appId),
        eq(identities.kind, who.kind),
        eq(identities.subjectHash, who.subjectHash),
        gte(sessions.createdAt, since),
      ),
    )
    .orderBy(desc(sessions.id))
    .limit(100)
  return rows.map(({ ip }) => ip)
}

/** The networks with the most failed and stopped tries. */
export function worstNetworks(db: Reader, filter: TriesFilter, limit: number) {
  return db
    .select({ value: tries.network, ...sums })
    .from(tries)
    .where(triesWhere(filter))
    .groupBy(tries.network)
    .orderBy(desc(sql`sum(${tries.failed}) + sum(${tries.stopped})`))
    .limit(limit)
}

export function triesByDevice(db: Reader, filter: TriesFilter) {
  return db
    .select({ value: tries.device, ...sums })
    .from(tries)
    .where(triesWhere(filter))
    .groupBy(tries.device)
}

/** The hours before one, an hour at a time and the oldest first, until `limit` rows are gone or none is left. */
export async function deleteTries(tx: Transaction, beforeHour: number, limit: number): Promise<number> {
  let removed = 0
  while (removed < limit) {
    const [oldest] = await tx
      .select({ hour: sql<number | null>`min(${tries.hour})` })
      .from(tries)
      .where(lt(tries.hour, beforeHour))
    if (oldest?.hour == null) return removed
    const rows = await tx.delete(tries).where(eq(tries.hour, oldest.hour)).returning({ hour: tries.hour })
    removed += rows.length
  }
  return removed
}
