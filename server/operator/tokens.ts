import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret, matches, readOpaque, withSecret, type OpaqueKind } from '#server/secret/opaque.ts'
import { recordAudit, type Actor } from './audit.ts'
import { openOperator, type Operator } from './operator.ts'
import {
  deleteOperatorToken,
  findOperatorToken,
  insertOperatorToken,
  touchOperatorToken,
  type OperatorTokenRow,
} from './store.ts'

/** What an API token is for, in its owner's words. */
export const tokenName = z.string().trim().min(1).max(100)

/** A cookie's session ends after this long in any case, and after this long without use (NIST SP 800-63B AAL2, the stricter reading). */
export const COOKIE_TTL_MS = 12 * 3_600_000
export const COOKIE_IDLE_MS = 3_600_000

/** Makes a cookie's token (`oc`) or a named API token (`op`); the text is returned once and only its hash is kept. */
export async function insertToken(
  runtime: Runtime,
  tx: Transaction,
  input: {
    operatorId: number
    kind: 'session' | 'api'
    name?: string
    expiresAt?: Date | undefined
    ip?: string
    userAgent?: string | undefined
  },
): Promise<{ row: OperatorTokenRow; token: string }> {
  const secret = randomBytes(32)
  const now = runtime.now()
  const row = await insertOperatorToken(tx, {
    operatorId: input.operatorId,
    kind: input.kind,
    name: input.name ?? null,
    tokenHash: hashSecret(secret),
    createdAt: now,
    lastUsedAt: now,
    expiresAt: input.expiresAt ?? null,
    ip: input.ip ?? null,
    userAgent: input.userAgent?.slice(0, 512) ?? null,
  })
  return { row, token: withSecret(runtime.vault.ids, input.kind === 'api' ? 'op' : 'oc', row.id, secret).token }
}

/** A named API token with its operator's role; shown once. */
export function createOperatorToken(
  runtime: Runtime,
  actor: Actor,
  input: { operatorId: number; name: string; expiresAt?: Date | undefined },
): Promise<{ row: OperatorTokenRow; token: string }> {
  return runtime.db.transaction(async (tx) => {
    const made = await insertToken(runtime, tx, { ...input, kind: 'api' })
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'operator_token.create',
      target: { kind: 'operator_token', id: made.row.id, label: input.name },
      after: { name: input.name, expiresAt: input.expiresAt?.toISOString() ?? null },
    })
    return made
  })
}

/** @throws AppError not_found */
export function removeOperatorToken(runtime: Runtime, actor: Actor, operatorId: number, id: number): Promise<void> {
  return runtime.db.transaction(async (tx) => {
    const row = await deleteOperatorToken(tx, operatorId, id)
    if (!row || row.kind !== 'api') throw new AppError('not_found', 'You have no such token')
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'operator_token.delete',
      target: { kind: 'operator_token', id, label: row.name ?? '' },
    })
  })
}

/** The token and its operator, if it is good now; looking counts as no use. */
export async function proveOperatorToken(runtime: Runtime, token: string, kind: Extract<OpaqueKind, 'oc' | 'op'>) {
  const presented = readOpaque(runtime.vault.ids, token)
  const found = presented?.kind === kind ? await findOperatorToken(runtime.db, presented.row) : undefined
  if (!found || !presented || !matches(presented.secret, found.token.tokenHash)) return undefined
  const now = runtime.now()
  const { token: row, operator } = found
  if (operator.disabled || (row.expiresAt && now >= row.expiresAt)) return undefined
  const unused = now.getTime() - row.lastUsedAt.getTime()
  return row.kind === 'session' && unused >= COOKIE_IDLE_MS ? undefined : found
}

/**
 * The operator that a cookie's or an API token speaks for, or undefined. A disabled operator's tokens are dead at once.
 * @param kind `oc` from the cookie, `op` from the Authorization header: one never passes for the other
 */
export async function operatorOfToken(
  runtime: Runtime,
  token: string,
  kind: Extract<OpaqueKind, 'oc' | 'op'>,
): Promise<{ operator: Operator; tokenId: number } | undefined> {
  const found = await proveOperatorToken(runtime, token, kind)
  if (!found) return undefined
  const now = runtime.now()
  const { token: row, operator } = found
  // A minute is exact enough for an idle time of an hour, and for people.
  if (now.getTime() - row.lastUsedAt.getTime() >= 60_000) {
    await runtime.db
      .transaction((tx) => touchOperatorToken(tx, row.id, now))
      .catch((error: unknown) => runtime.log.warn({ err: error }, 'last use of an operator token was not noted'))
  }
  return { operator: openOperator(runtime, operator), tokenId: row.id }
}
