import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { AppError } from '#server/error.ts'
import { assertOutsideTransaction, asTransaction } from './alone.ts'
import { beforeRead, driverCode, type Database, type Reader, type Snapshot, type Transaction } from './database.ts'
import { makeFolder } from '#server/folder.ts'

/** How long a write waits for another process's lock before it is refused. */
const LOCK_PATIENCE_MS = 5_000
const MOST_BODIES_A_COMMIT = 256
const LONGEST_GROUP_MS = 8
/** For so long after a group had to be taken back, bodies run under savepoints. */
const CAREFUL_MS = 1_000

type Job = {
  work: (tx: Transaction) => Promise<unknown>
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/** A body that has run, what it answered, and what it wants done once it is committed. */
type Done = { job: Job; value: unknown; effects: (() => void)[] }

/** Opens (and creates) an SQLite file: one writer connection with group commit, one read-only connection beside it. */
export function openSqlite(file: string): Database {
  makeFolder(dirname(file))
  const writer = connect(file)
  const reader = connect(file, { readonly: true })
  const reads = drizzle(reader, { casing: 'snake_case' }) as unknown as Reader
  const snapshot = shareSnapshot(reader)
  const transaction = groupCommit(writer, snapshot.close)

  const database = {
    [beforeRead]: snapshot.open,
    select: reads.select.bind(reads),
    selectDistinct: reads.selectDistinct.bind(reads),
    $count: reads.$count.bind(reads),
    transaction,
    shared: undefined,
    async check() {
      const problems = reader.pragma('integrity_check', { simple: true }) as string
      const foreign = reader.pragma('foreign_key_check') as unknown[]
      const full = writer.pragma('synchronous', { simple: true }) === 2
      const ok = problems === 'ok' && foreign.length === 0 && full
      const detail = ok
        ? `SQLite ${version(reader)}, integrity ok, synchronous=FULL`
        : `integrity: ${problems}, foreign keys broken: ${foreign.length}, synchronous=FULL: ${full}`
      return { ok, detail }
    },
    async forget() {
      while (writer.inTransaction) await wait(2)
      snapshot.close()
      const [outcome] = writer.pragma('wal_checkpoint(truncate)') as { busy: number }[]
      return outcome?.busy === 0
    },
    async close() {
      snapshot.close()
      reader.close()
      writer.close()
    },
  }
  return database
}

/**
 * Prepared reads of one turn of the event loop share one read transaction: taking and dropping SQLite's locks for each costs more
 * than the reads. It ends with the turn, and at once after a commit of ours, so that nothing committed is ever overlooked by a later request.
 */
function shareSnapshot(reader: Sqlite.Database): { open: () => Snapshot; close: () => void } {
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

/**
 * Bodies that wait for the writer run one after another inside one SQLite transaction and share its commit, and nobody is answered before that is on
 * disk. This makes synchronous=FULL cost one fsync a group instead of one a login. A body that fails leaves nothing behind and harms no other:
 * where it has written nothing, there is nothing to do; else the whole group is taken back and the others run again, each under a savepoint of its own.
 * Savepoints are not the rule, because under one SQLite copies each page that a body touches, which is half the price of a login's statements.
 */
function groupCommit(writer: Sqlite.Database, committed: () => void): Database['transaction'] {
  let effects: Done['effects'] = []
  const tx = Object.assign(drizzle(writer, { casing: 'snake_case' }), {
    async lock() {},
    afterCommit: (effect: () => void) => void effects.push(effect),
  }) as unknown as Transaction
  const [begin, commit, rollback] = ['begin immediate', 'commit', 'rollback'].map((text) => writer.prepare(text))
  const [save, keep, undo] = ['savepoint body', 'release body', 'rollback to body'].map((text) => writer.prepare(text))
  const changes = writer.prepare('select total_changes()').pluck()
  let waiting: Job[] = []
  let running = false
  let carefulUntil = 0

  async function runGroup(): Promise<void> {
    await beginPatiently()
    const jobs = waiting
    waiting = []
    const { done, left } = await runBodies(jobs)
    waiting = [...left, ...waiting]
    if (writer.inTransaction) commitGroup(done)
  }

  /** Runs bodies until none is left or it is time to commit; those that have to wait, or run again, are left. */
  async function runBodies(jobs: Job[]): Promise<{ done: Done[]; left: Job[] }> {
    const done: Done[] = []
    const began = performance.now()
    const careful = began < carefulUntil
    let next = 0
    while (next < jobs.length && done.length < MOST_BODIES_A_COMMIT && performance.now() < began + LONGEST_GROUP_MS) {
      const job = jobs[next++]!
      effects = []
      if (careful) save!.run()
      const before = changes.get()
      try {
        const value = await asTransaction(() => job.work(tx))
        if (careful) keep!.run()
        done.push({ job, value, effects })
      } catch (error) {
        job.reject(isAway(error) ? unavailable(error) : error)
        if (!writer.inTransaction) {
          // A full disk or an I/O error ends the whole transaction by itself: nothing of this group was kept.
          for (const { job } of done) job.reject(unavailable(error))
          return { done: [], left: jobs.slice(next) }
        }
        if (careful) {
          undo!.run()
          keep!.run()
        } else if (changes.get() !== before) {
          rollback!.run()
          if (done.length > 0) carefulUntil = performance.now() + CAREFUL_MS
          return { done: [], left: [...done.map(({ job }) => job), ...jobs.slice(next)] }
        }
      }
    }
    return { done, left: jobs.slice(next) }
  }

  function commitGroup(done: Done[]): void {
    try {
      commit!.run()
      committed()
    } catch (error) {
      if (writer.inTransaction) rollback!.run()
      for (const { job } of done) job.reject(unavailable(error))
      return
    }
    for (const { job, value } of done) job.resolve(value as never)
    for (const { effects } of done) for (const effect of effects) effect()
  }

  async function beginPatiently(): Promise<void> {
    const patience = performance.now() + LOCK_PATIENCE_MS
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      try {
        begin!.run()
        return
      } catch (error) {
        if (!driverCode(error)?.startsWith('SQLITE_BUSY') || performance.now() > patience) throw unavailable(error)
        await wait(pause)
      }
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      try {
        await runGroup()
      } catch (error) {
        const refused = waiting
        waiting = []
        for (const job of refused) job.reject(error)
      }
    }
    running = false
  }

  return (work) => {
    assertOutsideTransaction()
    return new Promise((resolve, reject) => {
      waiting.push({ work, resolve: resolve as Job['resolve'], reject })
      if (running) return
      running = true
      // After this turn of the event loop, so that every login that arrived in it joins the group.
      setImmediate(() => void run())
    })
  }
}

/** A full, read-only or failing disk, or somebody else's lock: nothing that the caller did. */
const isAway = (error: unknown) => /^SQLITE_(BUSY|FULL|IOERR|READONLY|CANTOPEN|PROTOCOL)/.test(driverCode(error) ?? '')

function unavailable(cause: unknown): AppError {
  return new AppError('unavailable', 'The database cannot be written right now; try again', { cause, retryAfter: 1 })
}

function connect(file: string, options: Sqlite.Options = {}): Sqlite.Database {
  // The driver waits for a lock synchronously, which stops every request: a few milliseconds at most, the rest is waited for above.
  const connection = new Sqlite(file, { timeout: 10, ...options })
  try {
    if (!options.readonly) connection.pragma('journal_mode = wal')
    // Said on every open: with WAL the library falls back to NORMAL when the file exists already, and a power cut loses acknowledged writes.
    connection.pragma('synchronous = full')
    // What is deleted is overwritten: a person who was erased leaves nothing in pages that wait to be used again.
    if (!options.readonly) connection.pragma('secure_delete = on')
    connection.pragma('foreign_keys = on')
    connection.pragma('wal_autocheckpoint = 10000')
    connection.pragma('cache_size = -65536')
    // temp_store stays at its default: in memory, every statement of a large transaction walks the whole journal of its savepoint.
  } catch (error) {
    connection.close()
    throw error
  }
  return connection
}

function version(connection: Sqlite.Database): string {
  return (connection.prepare('select sqlite_version() as version').get() as { version: string }).version
}
