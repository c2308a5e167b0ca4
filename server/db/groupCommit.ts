import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { AppError } from '#server/error.ts'
import { assertOutsideTransaction, asTransaction } from './alone.ts'
import { driverCode, type Database, type Transaction } from './database.ts'

/** How long a write waits for another process's lock before it is refused. */
const LOCK_PATIENCE_MS = 5_000
const MOST_BODIES_A_COMMIT = 256
const LONGEST_GROUP_MS = 8
/** For so many times what a commit takes, and for no longer than this, more bodies are waited for. */
const COMMITS_TO_WAIT = 4
const LONGEST_WAIT_MS = 5
/** For so long after a group had to be taken back, bodies run under savepoints. */
const CAREFUL_MS = 1_000

type Job = {
  work: (tx: Transaction) => Promise<unknown>
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/** A body that has run, what it answered, and what it wants done once it is committed. */
type Done = { job: Job; value: unknown; effects: (() => void)[] }

/**
 * Bodies that wait for the writer run one after another inside one SQLite transaction and share its commit, and nobody is answered before that is on
 * disk. This makes synchronous=FULL cost one fsync a group instead of one a login. A body that fails leaves nothing behind and harms no other:
 * where it has written nothing, there is nothing to do; else the whole group is taken back and the others run again, each under a savepoint of its own.
 * Savepoints are not the rule, because under one SQLite copies each page that a body touches, which is half the price of a login's statements.
 */
export function groupCommit(writer: Sqlite.Database, committed: () => void): Database['transaction'] {
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
  /** What the last commit took. */
  let commitMs = 0

  async function runGroup(): Promise<void> {
    await gather()
    await beginPatiently()
    const jobs = waiting
    waiting = []
    const { done, left } = await runBodies(jobs)
    waiting = [...left, ...waiting]
    if (writer.inTransaction) commitGroup(done)
  }

  /**
   * Lets turns of the event loop pass while each brings more bodies: what they share is one commit, whose price hardly grows with them. Whoever comes alone is
   * held up for no more than the turn it came in, and nobody for much longer than the disk itself would.
   */
  async function gather(): Promise<void> {
    const until = performance.now() + Math.min(commitMs * COMMITS_TO_WAIT, LONGEST_WAIT_MS)
    let before: number
    do {
      before = waiting.length
      await nextTurn()
    } while (waiting.length > before && waiting.length < MOST_BODIES_A_COMMIT && performance.now() < until)
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
    const began = performance.now()
    try {
      commit!.run()
      commitMs = performance.now() - began
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
      void run()
    })
  }
}

/** A full, read-only or failing disk, or somebody else's lock: nothing that the caller did. */
const isAway = (error: unknown) => /^SQLITE_(BUSY|FULL|IOERR|READONLY|CANTOPEN|PROTOCOL)/.test(driverCode(error) ?? '')

function unavailable(cause: unknown): AppError {
  return new AppError('unavailable', 'The database cannot be written right now; try again', { cause, retryAfter: 1 })
}
