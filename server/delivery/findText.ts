import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { listLog, type LogFilter } from './logStore.ts'

/** Payloads are encrypted, so text is found by opening them: this many of the newest that meet the rest of the filter. */
export const MOST_OPENED = 2_000
const CHUNK = 500
const LEAST_CHARACTERS = 3

/**
 * Events whose payload holds a text, whatever its case: words of title and body, an amount, a hash, somebody's id. Among the newest that meet the
 * rest of the filter, so that a narrower filter looks further back.
 */
export async function findText(runtime: Runtime, filter: LogFilter, text: string): Promise<number[]> {
  // As it stands in JSON, without the quotes around it.
  const wanted = JSON.stringify(text).slice(1, -1).toLowerCase()
  if (text.length < LEAST_CHARACTERS) return []
  const found: number[] = []
  let before: number | undefined
  for (let opened = 0; opened < MOST_OPENED; opened += CHUNK) {
    const { rows, seenTo } = await listLog(runtime.db, { ...filter, match: undefined }, { before, limit: CHUNK })
    for (const { id, payloadSealed } of rows) {
      const payload = await openPersonal(runtime, runtime.db, payloadSealed, 'events.payload')
      if (payload.toLowerCase().includes(wanted)) found.push(id)
    }
    before = rows.length === CHUNK ? rows.at(-1)!.id : seenTo
    if (before === undefined) break
  }
  return found
}
