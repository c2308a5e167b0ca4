import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '#server/folder.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Ids } from '#server/secret/ids.ts'
import { insertErased, listErased, type ErasedRow } from './store.ts'

const PAGE = 1_000

/** Where it is written down who was erased, beside the database, so that no backup of the database takes it back. */
export const ledgerFile = ({ dataDir }: { dataDir: string }): string => join(dataDir, 'erased.txt')

/**
 * Who was erased, as a file tells: a sealed user id, when that account was made and when it was erased, one a line. A line that this installation
 * did not write says nobody.
 */
export function readLedger(ids: Ids, file: string): ErasedRow[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [user = '', createdAt = '', erasedAt = ''] = line.split(' ')
      const id = ids.parse('usr', user)
      const row = { createdAt: new Date(createdAt), erasedAt: new Date(erasedAt) }
      return id === undefined || Number.isNaN(row.createdAt.getTime()) || Number.isNaN(row.erasedAt.getTime())
        ? []
        : [{ id, ...row }]
    })
}

/**
 * Brings the file and the table together, so that both hold all who were erased: the table may be of a backup that is older than the file, and the file
 * of a process that was stopped before it wrote. Returns who they are.
 */
export async function joinLedger(runtime: Runtime): Promise<ErasedRow[]> {
  const { db, vault, config } = runtime
  const file = ledgerFile(config)
  const written = new Map(readLedger(vault.ids, file).map((row) => [nameOf(row), row]))
  const noted = new Map<string, ErasedRow>()
  for (let from = 0; ;) {
    const rows = await listErased(db, from, PAGE)
    for (const row of rows) noted.set(nameOf(row), row)
    if (rows.length < PAGE) break
    from = rows.at(-1)!.id
  }
  const missing = [...written.values()].filter((row) => !noted.has(nameOf(row)))
  for (let from = 0; from < missing.length; from += PAGE)
    await db.transaction(async (tx) => {
      for (const row of missing.slice(from, from + PAGE)) await insertErased(tx, row)
    })
  const all = [...new Map([...written, ...noted]).values()]
  if (all.length > written.size) writeLedger(vault.ids, file, all)
  return all
}

/** Writes down one more. What cannot be written is in the table, and comes into the file with the next `joinLedger`. */
export function addToLedger({ config, vault, log }: Runtime, row: ErasedRow): void {
  const file = ledgerFile(config)
  try {
    makeFolder(config.dataDir)
    appendFileSync(file, lineOf(vault.ids, row), { mode: 0o600, flush: true })
  } catch (error) {
    log.error({ err: error, file }, 'who was erased could not be written beside the database')
  }
}

/** The file is there whole, as it was or as it is to be. */
function writeLedger(ids: Ids, file: string, rows: ErasedRow[]): void {
  makeFolder(dirname(file))
  const fresh = `${file}.${process.pid}.part`
  const descriptor = openSync(fresh, 'w', 0o600)
  try {
    writeSync(descriptor, rows.map((row) => lineOf(ids, row)).join(''))
    fsyncSync(descriptor)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
  renameSync(fresh, file)
}

const lineOf = (ids: Ids, { id, createdAt, erasedAt }: ErasedRow) =>
  `${ids.seal('usr', id)} ${createdAt.toISOString()} ${erasedAt.toISOString()}\n`

const nameOf = ({ id, createdAt }: ErasedRow) => `${id} ${createdAt.getTime()}`
