import type Sqlite from 'better-sqlite3'
import type { Snapshot } from './database.ts'

/**
 * Prepared reads of one turn of the event loop share one read transaction: taking and dropping SQLite's locks for each costs more
 * than the reads. It ends with the turn, and at once after a commit of ours, so that nothing committed is ever overlooked by a later request.
 */
export function shareSnapshot(reader: Sqlite.Database): { open: () => Snapshot; close: () => void } {
  const [begin, commit] = ['begin', 'commit'].map((text) => reader.prepare(text))
  let current: Snapshot | undefined
  const close = () => {
    if (!current) return
    current = undefined
    commit!.run()
  }
  return {
    open() {
      if (current) return current
      begin!.run()
      setImmediate(close)
      return (current = new Map())
    },
    close,
  }
}
