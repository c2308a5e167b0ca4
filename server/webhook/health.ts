import type { Transaction } from '#server/db/database.ts'
import type { Attempt } from '#server/delivery/lane.ts'
import type { Runtime } from '#server/runtime.ts'
import { pauseOf, type Circuit } from './circuit.ts'
import { disableEndpoint } from './disable.ts'
import { findEndpoint, noteHealth, type EndpointRow } from './store.ts'

/** An endpoint without one success for this long is disabled. */
const PATIENCE_MS = 120 * 3_600_000
/** A success is written down at most this often while all goes well. */
const NOTE_EVERY_MS = 30_000

/** What says nothing about the receiver: faults of ours. */
const counts = (attempt: Attempt) => attempt.outcome !== 'internal'

/** Writes what a batch of attempts says of an endpoint: since when it fails, whether its circuit opens or closes, whether it is given up. */
export async function noteAttempts(
  runtime: Runtime,
  tx: Transaction,
  { id }: Pick<EndpointRow, 'id'>,
  circuit: Circuit,
  attempts: Attempt[],
  now: Date,
): Promise<void> {
  const told = attempts.filter(counts)
  if (told.length === 0) return
  const row = await findEndpoint(tx, id)
  if (!row) return
  const gone = told.find(({ status }) => status === 410)
  if (gone) await disableEndpoint(runtime, tx, row, { reason: 'gone', at: now })
  const succeeded = told.some(({ outcome }) => outcome === 'ok')
  const failed = told.some(({ outcome }) => outcome !== 'ok')
  const tooMany = circuit.note(told.map(({ at, outcome }) => ({ at, failed: outcome !== 'ok' })))
  const change: Partial<EndpointRow> = {}

  if (failed) change.lastFailureAt = now
  if (succeeded) {
    if (row.failingSince) change.failingSince = null
    if (isOld(row.lastSuccessAt, now)) change.lastSuccessAt = now
    if (row.openUntil) {
      Object.assign(change, { openUntil: null, openings: 0 })
      circuit.reset()
    }
  } else {
    if (!row.failingSince) change.failingSince = now
    // A probe that failed opens the circuit for longer; otherwise most of the last attempts must have failed.
    if (row.openUntil ? now >= row.openUntil : tooMany) {
      change.openings = row.openings + 1
      change.openUntil = new Date(now.getTime() + pauseOf(change.openings))
    }
    if (row.failingSince && now.getTime() - row.failingSince.getTime() >= PATIENCE_MS && row.state === 'active')
      await disableEndpoint(runtime, tx, row, { reason: 'failing', at: now })
  }
  if (Object.keys(change).length > 0) await noteHealth(tx, id, change)
}

const isOld = (at: Date | null, now: Date) => !at || now.getTime() - at.getTime() > NOTE_EVERY_MS
