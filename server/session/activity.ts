import type { Database } from '#server/db/database.ts'
import { touchSessions, touchTokens } from './store.ts'

/** A touch is written at the latest this long after it happened. */
const LONGEST_DELAY_MS = 5_000
const TICK_MS = 250

/**
 * Last activity of sessions and opaque tokens, precise in memory and written in batches: a session in constant use costs one write in a few
 * seconds, yet is never taken for idle by this process. Short lifetimes are written sooner, so that other processes see them alive too.
 */
export type Activity = {
  /** Notes a use at `now`; `shortest` is the shortest lifetime (seconds) that this use extends. */
  touch(session: { id: number; lastActiveAt: Date }, now: Date, shortest: number): void
  /** Notes the use of an opaque token, which then lives `ttl` seconds more. */
  touchToken(tokenId: number, now: Date, ttl: number): void
  /** Milliseconds since the epoch: what is written or, if later, what is noted. */
  lastActiveAt(session: { id: number; lastActiveAt: Date }): number
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

  function note(pending: Map<number, Pending>, id: number, at: number, shortest: number): void {
    const known = pending.get(id)
    if (known) {
      if (at > known.at) known.at = at
      return
    }
    const delay = Math.min(LONGEST_DELAY_MS, (shortest * 1000) / 8)
    pending.set(id, { at, due: performance.now() + delay, delay, ttl: shortest })
    schedule()
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
      [...pending].filter(([, entry]) => all || entry.due <= ready).map(([id, { at, ttl }]) => ({ id, at, ttl }))
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
    touch: (session, now, shortest) => {
      if (now > session.lastActiveAt) note(sessions, session.id, now.getTime(), shortest)
    },
    touchToken: (tokenId, now, ttl) => note(tokens, tokenId, now.getTime(), ttl),
    lastActiveAt: (session) => Math.max(session.lastActiveAt.getTime(), sessions.get(session.id)?.at ?? 0),
    tokenUsedAt: (tokenId) => tokens.get(tokenId)?.at,
    flush(all = false) {
      const next = () => write(all)
      flushing = flushing.then(next, next)
      return flushing
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await activity.flush(true)
    },
  }
  return activity
}
