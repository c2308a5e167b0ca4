import type { Database } from '#server/db/database.ts'
import { rulesFrom, type Rules } from './detectors.ts'
import { createLists, type Entry, type Lists } from './lists.ts'
import { listCurrentBlocks, listRules, readVersion } from './store.ts'

const FRESH_MS = 1_000
const MOST_LISTED = 50_000

/** The rules and blocks as they stand in the database, at most a second old. */
export type Book = {
  rules(): Rules
  lists(): Lists
  /** Reads them again where that is due: another process may have changed them. */
  refresh(): Promise<void> | undefined
  /** Resolves once they have been read the first time; undefined from then on. */
  ready(): Promise<void> | undefined
  /** Reads them now, after a change of ours. */
  reload(): Promise<void>
  /** Has them read with the next try. */
  expire(): void
}

/** @param unwritten blocks that hold already and are not in the table yet */
export function createBook(
  db: Database,
  now: () => Date,
  unwritten: () => Entry[],
  onError: (error: unknown) => void,
): Book {
  let rules = rulesFrom([])
  let lists = createLists([])
  let read: { version: string; at: number } | undefined
  let reading: Promise<void> | undefined

  async function load(): Promise<void> {
    const version = await readVersion(db)
    if (version !== read?.version) {
      const [blocks, changed] = await Promise.all([listCurrentBlocks(db, now(), MOST_LISTED), listRules(db)])
      lists = createLists([...blocks, ...unwritten()])
      rules = rulesFrom(changed)
    }
    read = { version, at: performance.now() }
  }

  function refresh(): Promise<void> | undefined {
    if (read && performance.now() - read.at < FRESH_MS) return undefined
    reading ??= load()
      .catch(onError)
      .finally(() => (reading = undefined))
    return reading
  }

  return {
    rules: () => rules,
    lists: () => lists,
    refresh,
    ready: () => (read ? undefined : refresh()),
    reload() {
      read = undefined
      return load()
    },
    expire: () => void (read = undefined),
  }
}
