import { createHash } from 'node:crypto'
import type { Reader, Transaction } from '#server/db/database.ts'
import { insertAudit, lastAuditHash, listAuditChain, type AuditRow } from './store.ts'

/** Who acts: an operator, the command line, or Gatehouse itself. */
export type Actor = {
  kind: 'operator' | 'system' | 'cli'
  id: number | null
  label: string
  ip: string | null
}

export const systemActor: Actor = { kind: 'system', id: null, label: 'Gatehouse', ip: null }

export const cliActor: Actor = { kind: 'cli', id: null, label: 'command line', ip: null }

export type AuditEntry = {
  at: Date
  actor: Actor
  /** Such as `app.update`. */
  action: string
  appId?: number
  target?: { kind: string; id: number; label?: string }
  /** What changed, without secrets: a secret shows as set or not set. */
  before?: unknown
  after?: unknown
}

const GENESIS = '0'.repeat(64)

/**
 * Records an operator's act in the same transaction as the act itself. Each entry's hash covers the one before it, so that a later change
 * of the table shows (`verifyAudit`).
 */
export async function recordAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx.lock('audit log')
  const previousHash = (await lastAuditHash(tx)) ?? GENESIS
  const row = {
    at: entry.at,
    actorKind: entry.actor.kind,
    actorId: entry.actor.id,
    actorLabel: entry.actor.label,
    action: entry.action,
    appId: entry.appId ?? null,
    targetKind: entry.target?.kind ?? null,
    targetId: entry.target?.id ?? null,
    targetLabel: entry.target?.label ?? null,
    before: entry.before === undefined ? null : JSON.stringify(entry.before),
    after: entry.after === undefined ? null : JSON.stringify(entry.after),
    ip: entry.actor.ip,
  }
  await insertAudit(tx, { ...row, previousHash, hash: hashEntry(previousHash, row) })
}

function hashEntry(previousHash: string, row: Omit<AuditRow, 'id' | 'hash' | 'previousHash'>): string {
  const { at, actorKind, actorId, actorLabel, action, appId, targetKind, targetId, targetLabel, before, after, ip } =
    row
  const facts = [
    at.toISOString(),
    actorKind,
    actorId,
    actorLabel,
    action,
    appId,
    targetKind,
    targetId,
    targetLabel,
    before,
    after,
    ip,
  ]
  return createHash('sha256').update(previousHash).update(JSON.stringify(facts)).digest('hex')
}

/** Walks the whole chain: whether it holds, over how many entries, and the first entry that does not fit. */
export async function verifyAudit(db: Reader): Promise<{ ok: boolean; entries: number; brokenAt?: number }> {
  let previous = GENESIS
  let entries = 0
  for (let after = 0; ;) {
    const rows = await listAuditChain(db, after, 1_000)
    for (const row of rows) {
      if (row.previousHash !== previous || row.hash !== hashEntry(previous, row))
        return { ok: false, entries, brokenAt: row.id }
      previous = row.hash
      entries++
      after = row.id
    }
    if (rows.length < 1_000) return { ok: true, entries }
  }
}
