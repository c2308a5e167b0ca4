import { listAllApps } from './app/store.ts'
import { appAt } from './app/app.ts'
import { COOKIE_IDLE_MS } from './operator/tokens.ts'
import { deleteExpiredOperatorTokens } from './operator/store.ts'
import type { Transaction } from './db/database.ts'
import { deleteOldHours } from './delivery/store.ts'
import { MEMORY_MS as ANSWER_MEMORY_MS } from './event/once.ts'
import { deleteOldAnswers } from './event/store.ts'
import { AppError } from './error.ts'
import { unblockUser } from './identity/block.ts'
import { mailPendingLinks } from './identity/linkMail.ts'
import { deleteExpiredLinks } from './identity/linkStore.ts'
import { keyOldUsers } from './personal/keyOldUsers.ts'
import { systemActor } from './operator/audit.ts'
import { applyRetention } from './retention/apply.ts'
import { repeat, type Repeated } from './repeat.ts'
import type { Runtime } from './runtime.ts'
import { timedOut } from './session/session.ts'
import { endSession, walkLive } from './session/store.ts'
import { tellAllEnded } from './session/tell.ts'
import { deleteExpiredCodes } from './signature/store.ts'
import { deleteExpiredProofs } from './telegram/store.ts'
import { deleteExpiredTokens, deleteOldErasures, deleteWithdrawnKeys } from './token/store.ts'
import { deleteExpiredNonces } from './ton/store.ts'
import { deleteExpiredBlocks, listExpiredUserBlocks } from './traffic/store.ts'

const EVERY_MS = 15_000
/** Retention is a matter of days: looked at once an hour. */
const RETENTION_EVERY_MS = 3_600_000
/** Sessions looked at in one read, and the most a transaction ends. */
const CHUNK = 1_000
/** Chunks a pass; a million live sessions are walked in a quarter of an hour and never hold up a login. */
const CHUNKS_A_PASS = 20
/** Another process may know of a use that it has not written yet (session/activity.ts), so nothing ends in the first moments. */
const MARGIN_MS = 10_000
/** An expired opaque token is kept this long, so that its bearer is told that it expired and not that it never was. */
const TOKEN_MEMORY_MS = 3_600_000
const KEY_MEMORY_MS = 86_400_000
/** The health of endpoints by the hour is of use for some weeks. */
const HOURS_KEPT_MS = 90 * 86_400_000
/** Longer than any access token lives. */
const ERASURE_MEMORY_MS = 90_000_000

export type Swept = {
  sessions: number
  nonces: number
  proofs: number
  codes: number
  links: number
  tokens: number
  operatorTokens: number
  keys: number
  /** Answers under an idempotency key, and how endpoints did by the hour. */
  answers: number
  hours: number
  /** Blocks that have run out, of users among others, who may come in again. */
  blocks: number
  erasures: number
  /** People from before there were personal keys who have one now. */
  keyed: number
  /** Where the next pass goes on; 0 is the beginning. */
  next: number
}

/**
 * One pass of tidying up. Nothing depends on it: what is over by time is refused whether it was swept or not. It writes down when and why
 * sessions ended, frees their seats, and removes what can never be used again.
 */
export async function sweep(runtime: Runtime, from = 0): Promise<Swept> {
  const now = runtime.now()
  const ago = (ms: number) => new Date(now.getTime() - ms)
  const { ended, next } = await endTimedOut(runtime, from, now)
  if (runtime.personalKeys.remains) runtime.personalKeys.remains = !(await runtime.db.forget())
  await mailPendingLinks(runtime)
  // Each its own transaction: none of these needs another, and a login may come between.
  const transaction = <T>(work: (tx: Transaction) => Promise<T>) => runtime.db.transaction(work)
  return {
    sessions: ended,
    nonces: await transaction((tx) => deleteExpiredNonces(tx, now)),
    proofs: await transaction((tx) => deleteExpiredProofs(tx, now)),
    codes: await transaction((tx) => deleteExpiredCodes(tx, now)),
    links: await transaction((tx) => deleteExpiredLinks(tx, now)),
    tokens: await transaction((tx) => deleteExpiredTokens(tx, ago(TOKEN_MEMORY_MS))),
    operatorTokens: await transaction((tx) => deleteExpiredOperatorTokens(tx, now, ago(COOKIE_IDLE_MS))),
    blocks: await endBlocks(runtime),
    keys: await transaction((tx) => deleteWithdrawnKeys(tx, ago(KEY_MEMORY_MS))),
    answers: await transaction((tx) => deleteOldAnswers(tx, ago(ANSWER_MEMORY_MS))),
    hours: await transaction((tx) => deleteOldHours(tx, Math.floor(ago(HOURS_KEPT_MS).getTime() / 3_600_000))),
    keyed: await keyOldUsers(runtime),
    erasures: await transaction((tx) => deleteOldErasures(tx, ago(ERASURE_MEMORY_MS))),
    next,
  }
}

/** Lifts what has run out. A user's own block is lifted by hand, so to speak: their row says so too. */
async function endBlocks(runtime: Runtime): Promise<number> {
  const now = runtime.now()
  for (const { userId } of await listExpiredUserBlocks(runtime.db, now))
    if (userId !== null) await unblockUser(runtime, systemActor, userId).catch(ignoreGone)
  return runtime.db.transaction((tx) => deleteExpiredBlocks(tx, now))
}

/** Somebody who was erased meanwhile needs no unblocking. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof AppError && error.code === 'not_found')) throw error
}

/** Ends sessions that time has ended, each in the moment and for the reason it was over. */
async function endTimedOut(runtime: Runtime, from: number, now: Date): Promise<{ ended: number; next: number }> {
  const idleTimeouts = await idleTimeoutOfApps(runtime)
  const reference = new Date(now.getTime() - MARGIN_MS)
  let ended = 0
  let after = from
  for (let chunk = 0; chunk < CHUNKS_A_PASS; chunk++) {
    const live = await walkLive(runtime.db, { after, limit: CHUNK })
    const over = live.flatMap((session) => {
      const idleTimeout = idleTimeouts.get(session.appId)
      const end = idleTimeout === undefined ? undefined : timedOut(runtime, session, idleTimeout, reference)
      return end ? [{ session, end }] : []
    })
    if (over.length > 0) {
      ended += await runtime.db.transaction(async (tx) => {
        let count = 0
        for (const { session, end } of over) {
          if (!(await endSession(tx, session.id, end))) continue
          await tellAllEnded(runtime, tx, [session], end)
          count++
        }
        return count
      })
    }
    if (live.length < CHUNK) return { ended, next: 0 }
    after = live.at(-1)!.id
  }
  return { ended, next: after }
}

async function idleTimeoutOfApps(runtime: Runtime): Promise<Map<number, number>> {
  const timeouts = new Map<number, number>()
  for (const row of await listAllApps(runtime.db)) {
    const app = await appAt(runtime, row.id, row.version)
    if (app) timeouts.set(app.id, app.settings.sessionPolicy.idleTimeout)
  }
  return timeouts
}

/** Sweeps now and then until stopped. */
export function startSweep(runtime: Runtime): Repeated {
  let retainedAt = -Infinity
  let next = 0

  async function pass(): Promise<void> {
    const { next: resume, ...counts } = await sweep(runtime, next)
    next = resume
    if (performance.now() - retainedAt >= RETENTION_EVERY_MS) {
      retainedAt = performance.now()
      await applyRetention(runtime)
    }
    if (Object.values(counts).some((count) => count > 0)) runtime.log.debug(counts, 'tidied up')
  }

  return repeat(pass, {
    everyMs: EVERY_MS,
    onError: (error) => runtime.log.error({ err: error }, 'tidying up failed and will be tried again'),
  })
}
