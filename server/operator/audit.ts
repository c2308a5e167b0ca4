import { createHash } from 'node:crypto'
import type { Reader, Transaction } from '#server/db/database.ts'
import { getFact, insertAudit, lastAuditHash, listAuditChain, setFact, type AuditRow } from './store.ts'

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
/** The hash of the newest entry, kept apart from the entries: without it, one taken off the end would be missed by nobody. */
const HEAD = 'audit_head'

/**
 * Records an operator's act in the same transaction as the act itself. Each entry's hash covers the one before it, and that of the
 * newest stands apart, so that a later change of the table shows (`verifyAudit`).
 */
export async function recordAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx.lock('audit log')
  const previousHash = (await getFact(tx, HEAD)) ?? (await lastAuditHash(tx)) ?? GENESIS
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
  const hash = hashEntry(previousHash, row)
  await insertAudit(tx, { ...row, previousHash, hash })
  await setFact(tx, HEAD, hash)
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

/** Walks the whole chain: whether it holds to its end, over how many entries, and the first entry that does not fit or is not there. */
export async function verifyAudit(db: Reader): Promise<{ ok: boolean; entries: number; brokenAt?: number }> {
  // What is recorded while this walks comes after it.
  const head = await getFact(db, HEAD)
  let previous = GENESIS
  let entries = 0
  let reached = head === undefined
  for (let after = 0; ;) {
    const rows = await listAuditChain(db, after, 1_000)
    for (const row of rows) {
      if (row.previousHash !== previous || row.hash !== hashEntry(previous, row))
        return { ok: false, entries, brokenAt: row.id }
      previous = row.hash
      reached ||= row.hash === head
      entries++
      after = row.id
    }
    if (rows.length === 1_000) continue
    const whole = reached && (head !== undefined || entries === 0)
    return whole ? { ok: true, entries } : { ok: false, entries, brokenAt: after + 1 }
  }
}
