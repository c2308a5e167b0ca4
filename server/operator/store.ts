import { and, asc, count, desc, eq, gt, gte, inArray, lte, or, sql } from 'drizzle-orm'
import { byAge, type Place } from '#server/db/byAge.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import { auditLog, facts, operators, operatorTokens } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'

export type AuditRow = typeof auditLog.$inferSelect
export type OperatorRow = typeof operators.$inferSelect
export type OperatorTokenRow = typeof operatorTokens.$inferSelect

// Audit log

export async function insertAudit(tx: Transaction, row: typeof auditLog.$inferInsert): Promise<void> {
  await tx.insert(auditLog).values(row)
}

export async function lastAuditHash(db: Reader): Promise<string | undefined> {
  const [row] = await db.select({ hash: auditLog.hash }).from(auditLog).orderBy(desc(auditLog.id)).limit(1)
  return row?.hash
}

export function listAuditChain(db: Reader, after: number, limit: number): PromiseLike<AuditRow[]> {
  return db.select().from(auditLog).where(gt(auditLog.id, after)).orderBy(asc(auditLog.id)).limit(limit)
}

export type AuditFilter = {
  actor?: string | undefined
  /** A whole action, or `session.*` for all that begin so. */
  action?: string | undefined
  target?: { kind: string; id: number } | undefined
  from?: Date | undefined
  to?: Date | undefined
  /** Apps the asking operator may see; undefined is all. */
  only?: number[] | undefined
}

function auditWhere(filter: AuditFilter) {
  const escape = (text: string) => text.replace(/[\\%_]/g, '\\$&')
  return and(
    filter.actor
      ? sql`lower(${auditLog.actorLabel}) like ${`%${escape(filter.actor.toLowerCase())}%`} escape '\\'`
      : undefined,
    filter.action
      ? filter.action.endsWith('*')
        ? sql`${auditLog.action} like ${`${escape(filter.action.slice(0, -1))}%`} escape '\\'`
        : eq(auditLog.action, filter.action)
      : undefined,
    filter.target
      ? and(eq(auditLog.targetKind, filter.target.kind), eq(auditLog.targetId, filter.target.id))
      : undefined,
    filter.from ? gte(auditLog.at, filter.from) : undefined,
    filter.to ? lte(auditLog.at, filter.to) : undefined,
    filter.only ? inArray(auditLog.appId, filter.only.length ? filter.only : [-1]) : undefined,
  )
}

/** Entries, newest first; `before` is the last of the page before. */
export function listAudit(db: Reader, page: AuditFilter & Place & { limit: number }): PromiseLike<AuditRow[]> {
  const { from, order } = byAge(auditLog.id, page)
  return db
    .select()
    .from(auditLog)
    .where(and(auditWhere(page), from))
    .orderBy(order)
    .limit(page.limit)
}

/** How many entries match, counted up to `most`. */
export async function countAudit(db: Reader, filter: AuditFilter, most: number): Promise<number> {
  const some = db.select({ id: auditLog.id }).from(auditLog).where(auditWhere(filter)).limit(most).as('some')
  const [row] = await db.select({ n: count() }).from(some)
  return row!.n
}

// Operators

export async function countOperators(db: Reader): Promise<number> {
  return db.$count(operators)
}

export async function findOperatorByEmail(db: Reader, emailHash: Buffer): Promise<OperatorRow | undefined> {
  const [row] = await db.select().from(operators).where(eq(operators.emailHash, emailHash))
  return row
}

export async function findOperator(db: Reader, id: number): Promise<OperatorRow | undefined> {
  const [row] = await db.select().from(operators).where(eq(operators.id, id))
  return row
}

export function listOperators(db: Reader): PromiseLike<OperatorRow[]> {
  return db.select().from(operators).orderBy(asc(operators.id))
}

export async function insertOperator(tx: Transaction, row: typeof operators.$inferInsert): Promise<OperatorRow> {
  const [operator] = await tx.insert(operators).values(row).returning()
  return operator!
}

export async function updateOperator(
  tx: Transaction,
  id: number,
  change: Partial<OperatorRow>,
): Promise<OperatorRow | undefined> {
  const [operator] = await tx.update(operators).set(change).where(eq(operators.id, id)).returning()
  return operator
}

export async function deleteOperator(tx: Transaction, id: number): Promise<void> {
  await tx.delete(operators).where(eq(operators.id, id))
}

/** Owners who can sign in: there must always be one. */
export async function countActiveOwners(db: Reader): Promise<number> {
  return db.$count(operators, and(eq(operators.role, 'owner'), eq(operators.disabled, false)))
}

// What operators sign in with

export async function insertOperatorToken(
  tx: Transaction,
  row: typeof operatorTokens.$inferInsert,
): Promise<OperatorTokenRow> {
  const [token] = await tx.insert(operatorTokens).values(row).returning()
  return token!
}

const tokenById = statement('operator_token_by_id', (db) =>
  db
    .select({ token: operatorTokens, operator: operators })
    .from(operatorTokens)
    .innerJoin(operators, eq(operators.id, operatorTokens.operatorId))
    .where(eq(operatorTokens.id, param(operatorTokens.id, 'id'))),
)

export async function findOperatorToken(db: Reader, id: number) {
  const [row] = await tokenById(db, { id })
  return row
}

export async function touchOperatorToken(tx: Transaction, id: number, now: Date): Promise<void> {
  await tx.update(operatorTokens).set({ lastUsedAt: now }).where(eq(operatorTokens.id, id))
}

export function listOperatorTokens(db: Reader, operatorId: number): PromiseLike<OperatorTokenRow[]> {
  return db
    .select()
    .from(operatorTokens)
    .where(and(eq(operatorTokens.operatorId, operatorId), eq(operatorTokens.kind, 'api')))
    .orderBy(asc(operatorTokens.id))
}

export async function deleteOperatorToken(
  tx: Transaction,
  operatorId: number,
  id: number,
): Promise<OperatorTokenRow | undefined> {
  const [row] = await tx
    .delete(operatorTokens)
    .where(and(eq(operatorTokens.id, id), eq(operatorTokens.operatorId, operatorId)))
    .returning()
  return row
}

/** Ends an operator's cookies (not the API tokens), all or all but one. */
export async function deleteOperatorSessions(tx: Transaction, operatorId: number, except?: number): Promise<void> {
  await tx
    .delete(operatorTokens)
    .where(
      and(
        eq(operatorTokens.operatorId, operatorId),
        eq(operatorTokens.kind, 'session'),
        except === undefined ? undefined : sql`${operatorTokens.id} <> ${except}`,
      ),
    )
}

export async function deleteExpiredOperatorTokens(tx: Transaction, now: Date, idleSince: Date): Promise<number> {
  const rows = await tx
    .delete(operatorTokens)
    .where(
      or(
        lte(operatorTokens.expiresAt, now),
        and(eq(operatorTokens.kind, 'session'), lte(operatorTokens.lastUsedAt, idleSince)),
      ),
    )
    .returning({ id: operatorTokens.id })
  return rows.length
}

// Facts about the installation

export async function getFact(db: Reader, key: string): Promise<string | undefined> {
  const [row] = await db.select().from(facts).where(eq(facts.key, key))
  return row?.value
}

export async function setFact(tx: Transaction, key: string, value: string): Promise<void> {
  await tx.insert(facts).values({ key, value }).onConflictDoUpdate({ target: facts.key, set: { value } })
}

export async function deleteFact(tx: Transaction, key: string): Promise<void> {
  await tx.delete(facts).where(eq(facts.key, key))
}
