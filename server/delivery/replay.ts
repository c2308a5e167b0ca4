import type { Runtime } from '#server/runtime.ts'
import { lastDelivery, listReplayable, renew, type LogFilter } from './logStore.ts'

const CHUNK = 1_000
/** One call sends no more than this again. */
export const MOST_REPLAYED = 10_000

/**
 * Sends deliveries again: the same id, the same bytes, today's secrets, the whole schedule; a mail as a new mail. Works on those that existed when it began, some
 * hundreds a transaction; returns how many. What an endpoint that is off is owed becomes held again.
 */
export async function replayMany(runtime: Runtime, filter: LogFilter): Promise<number> {
  const upTo = await lastDelivery(runtime.db)
  let [after, replayed] = [0, 0]
  while (replayed < MOST_REPLAYED) {
    const rows = await listReplayable(runtime.db, filter, {
      after,
      upTo,
      limit: Math.min(CHUNK, MOST_REPLAYED - replayed),
    })
    if (rows.length === 0) break
    after = rows.at(-1)!.id
    replayed += await replayThese(
      runtime,
      rows.map(({ id }) => id),
    )
  }
  return replayed
}

/** Sends these deliveries again; returns how many, those under way not counted. */
export async function replayThese(runtime: Runtime, ids: number[]): Promise<number> {
  const { lanes, mails } = await runtime.db.transaction(async (tx) => ({
    lanes: (await renew(tx, ids, runtime.now())).map((row) => row.lane!),
    mails: await runtime.resendMails(tx, ids),
  }))
  for (const lane of new Set(lanes)) runtime.outbox.wake(lane)
  return lanes.length + mails
}
