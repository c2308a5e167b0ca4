import type { Database, Transaction } from '#server/db/database.ts'
import { touchSessions, touchTokens } from './store.ts'

/** A touch is written at the latest this long after it happened. */
const LONGEST_DELAY_MS = 5_000
const TICK_MS = 250

/**
 * Last activity of sessions and opaque tokens, precise in memory and written in batches: a session in constant use costs one write in a few
 * seconds, yet is never taken for idle. What is written may be older than half a lifetime for no longer than one call: that call waits for
 * the write, so that neither another process nor the next one after a crash sees a session run out that is in use.
 */
export type Activity = {
  /** Notes a use at `now`; `shortest` is the shortest lifetime (seconds) that this use extends. */
  touch(session: { id: number; lastActiveAt: Date }, now: Date, shortest: number): Promise<void> | undefined
  /** Notes the use of an opaque token, which then lives `ttl` seconds more; `expiresAt` is what is written of it. */
  touchToken(token: { row: number; expiresAt: Date }, now: Date, ttl: number): Promise<void> | undefined
  /** Milliseconds since the epoch: what is written or, if later, what is noted. */
  lastActiveAt(session: { id: number; lastActiveAt: Date }): number
  /** Writes a session's last use, if it is only noted, within the transaction that ends it: afterwards it would not be written any more. */
  writeUse(tx: Transaction, session: { id: number; lastActiveAt: Date }): Promise<void> | undefined
  /** When an opaque token was last used, if this process knows of a use that may not be written yet. */
  tokenUsedAt(tokenId: number): number | undefined
  /** Writes what is due, or everything. */
  flush(all?: boolean): Promise<void>
  close(): Promise<void>
}

type Pending = { at: number; due: number; delay: number; ttl: number }

export function createActivity(db: Database, onError: (error: unknown) => void): Activity {
  const sessions = new Map<number, Pending>()
  const tokens = new Map<number, Pending>()
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let flushing: Promise<void> = Promise.resolve()

  /** `age` is how long ago, in milliseconds, the use was that is written. */
  function note(
    pending: Map<number, Pending>,
    use: { id: number; at: number; age: number; lifetime: number },
  ): Promise<void> | undefined {
    const { id, at, age, lifetime } = use
    let entry = pending.get(id)
    if (!entry) {
      const delay = Math.min(LONGEST_DELAY_MS, (lifetime * 1000) / 8)
      entry = { at, due: performance.now() + delay, delay, ttl: lifetime }
      pending.set(id, entry)
      schedule()
    }
    if (at > entry.at) entry.at = at
    entry.ttl = lifetime
    if (age < (lifetime * 1000) / 2) return undefined
    entry.due = 0
    return activity.flush().catch(onError)
  }

  function schedule(): void {
    if (closed) return
    timer ??= setTimeout(() => {
      timer = undefined
      activity.flush().catch((error: unknown) => {
        onError(error)
        schedule()
      })
    }, TICK_MS).unref()
  }

  async function write(all: boolean): Promise<void> {
    const ready = performance.now()
    const due = (pending: Map<number, Pending>) =>
      [...pending]
        .filter(([, entry]) => all || entry.due <= ready)
        .map(([id, { at, ttl }]) => ({ id, at, ttl }))
        // In one order everywhere, so that two processes never wait for each other's rows.
        .sort((a, b) => a.id - b.id)
    const [dueSessions, dueTokens] = [due(sessions), due(tokens)]
    if (dueSessions.length > 0 || dueTokens.length > 0) {
      await db.transaction(async (tx) => {
        await touchSessions(tx, dueSessions)
        await touchTokens(tx, dueTokens)
      })
      settle(sessions, dueSessions)
      settle(tokens, dueTokens)
    }
    if (sessions.size > 0 || tokens.size > 0) schedule()
  }

  /** Forgets what is written, unless it was used again meanwhile. */
  function settle(pending: Map<number, Pending>, written: { id: number; at: number }[]): void {
    for (const { id, at } of written) {
      const entry = pending.get(id)
      if (!entry) continue
      if (entry.at === at) pending.delete(id)
      else entry.due = performance.now() + entry.delay
    }
  }

  const activity: Activity = {
    touch(session, now, shortest) {
      const [at, age] = [now.getTime(), now.getTime() - session.lastActiveAt.getTime()]
      return age > 0 ? note(sessions, { id: session.id, at, age, lifetime: shortest }) : undefined
    },
    touchToken(token, now, ttl) {
      const [at, left] = [now.getTime(), token.expiresAt.getTime() - now.getTime()]
      return note(tokens, { id: token.row, at, age: ttl * 1000 - left, lifetime: ttl })
    },
    lastActiveAt: (session) => Math.max(session.lastActiveAt.getTime(), sessions.get(session.id)?.at ?? 0),
    writeUse(tx, session) {
      const at = activity.lastActiveAt(session)
      return at > session.lastActiveAt.getTime() ? touchSessions(tx, [{ id: session.id, at }]) : undefined
    },
    tokenUsedAt: (tokenId) => tokens.get(tokenId)?.at,
    flush(all = false) {
      const next = () => write(all)
      flushing = flushing.then(next, next)
      return flushing
    },
    async close() {
      closed = true
      clearTimeout(timer)
      // A database that is away must not keep the rest from being closed.
      await activity.flush(true).catch(onError)
    },
  }
  return activity
}
