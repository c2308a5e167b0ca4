import type { Transaction } from '#server/db/database.ts'
import { deleteOldEvents } from '#server/delivery/logStore.ts'
import { deleteOldEmails } from '#server/email/store.ts'
import { setFact } from '#server/operator/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { deleteFigures } from '#server/stats/store.ts'
import { deleteFindings, deleteTries } from '#server/traffic/store.ts'
import { readRetention, REPORT, type Report } from './settings.ts'
import { deleteEndedSessions } from './store.ts'

const DAY_MS = 86_400_000
/** Rows a transaction removes at the most, and such transactions a run: a backlog of years goes in hours, and no login waits for it. */
const CHUNK = 1_000
const CHUNKS_A_RUN = 100
/** What is kept for ever. */
const NEVER = new Date(0)

/** Removes what is older than its retention, and reports by kind how much that was. */
export async function applyRetention(runtime: Runtime): Promise<Report> {
  const { db } = runtime
  const now = runtime.now()
  const kept = await readRetention(db)
  const before = (days: number | null) => (days === null ? undefined : new Date(now.getTime() - days * DAY_MS))
  const removed: Record<string, number> = {}

  async function remove(
    kind: string,
    limit: Date | undefined,
    work: (tx: Transaction, limit: Date) => Promise<number>,
  ) {
    if (!limit) return
    for (let chunk = 0; chunk < CHUNKS_A_RUN && !runtime.stopping; chunk++) {
      const count = await db.transaction((tx) => work(tx, limit))
      if (count > 0) removed[kind] = (removed[kind] ?? 0) + count
      if (count < CHUNK) return
    }
  }
  const inSteps = (at: Date, minutes: number) => Math.floor(at.getTime() / 60_000 / minutes)

  await remove('endedSessions', before(kept.endedSessions), (tx, at) => deleteEndedSessions(tx, at, CHUNK))
  await remove('events', before(kept.events) ?? before(kept.undelivered), (tx, at) =>
    deleteOldEvents(tx, kept.events === null ? NEVER : at, before(kept.undelivered) ?? NEVER, CHUNK),
  )
  await remove('emails', before(kept.emails), (tx, at) => deleteOldEmails(tx, at, CHUNK))
  await remove('tries', before(kept.tries), (tx, at) => deleteTries(tx, inSteps(at, 60), CHUNK))
  await remove('findings', before(kept.findings), (tx, at) => deleteFindings(tx, at, CHUNK))
  for (const [kind, minutes] of [
    ['minutes', 1],
    ['hours', 60],
    ['days', 1440],
  ] as const)
    await remove(kind, before(kept[kind]), (tx, at) => deleteFigures(tx, minutes, inSteps(at, minutes), CHUNK))

  const report = { at: now.toISOString(), removed }
  if (Object.keys(removed).length > 0) {
    await db.transaction((tx) => setFact(tx, REPORT, JSON.stringify(report)))
    runtime.log.info(report, 'removed what is older than its retention')
  }
  return report
}
