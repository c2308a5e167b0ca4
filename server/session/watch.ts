import { appAt } from '#server/app/app.ts'
import type { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { refuseEnded } from './ended.ts'
import { timedOut } from './session.ts'
import { listWatched, type WatchedSession } from './store.ts'

/** Whoever wants to know when a session ends. */
export type Watcher = {
  sessionId: number
  /** When the token that opened this runs out. */
  until: Date
  /** Says what happened, once; nothing more is said afterwards. Without a type the stream just ends. */
  tell(type: 'session.ended' | 'token.expired' | undefined, data: object): void
}

type Hub = { watchers: Map<number, Set<Watcher>>; timer: NodeJS.Timeout | undefined; count: number }

const hubs = new WeakMap<Runtime, Hub>()

/** A look every so often keeps the promise of a second with room to spare; with many watchers a little less often. */
const SHORTEST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 700
const WATCHERS_A_MS = 20
const CHUNK = 500
const MOST_WATCHERS = 20_000
const MOST_OF_ONE_SESSION = 3

/**
 * Tells of a session's end as soon as it is committed, by whatever process of the installation: the watched rows are looked up several times a second,
 * by their key. That costs the same whether it was ended here, elsewhere, by time, or with the person. Of more than three watchers of a session the oldest
 * goes: its client is most likely gone.
 * @returns what forgets the watcher, or undefined when this process has too many
 */
export function watchSession(runtime: Runtime, watcher: Watcher): (() => void) | undefined {
  let hub = hubs.get(runtime)
  if (!hub) hubs.set(runtime, (hub = { watchers: new Map<number, Set<Watcher>>(), timer: undefined, count: 0 }))
  if (hub.count >= MOST_WATCHERS) return undefined
  let own = hub.watchers.get(watcher.sessionId)
  if (!own) hub.watchers.set(watcher.sessionId, (own = new Set<Watcher>()))
  if (own.size >= MOST_OF_ONE_SESSION) {
    const [oldest] = own
    forget(hub, oldest!)
    oldest!.tell(undefined, {})
  }
  own.add(watcher)
  hub.count++
  schedule(runtime, hub)
  return () => forget(hub, watcher)
}

function forget(hub: Hub, watcher: Watcher): void {
  const own = hub.watchers.get(watcher.sessionId)
  if (!own?.delete(watcher)) return
  hub.count--
  if (own.size === 0) hub.watchers.delete(watcher.sessionId)
}

function schedule(runtime: Runtime, hub: Hub): void {
  if (hub.count === 0) return
  const pause = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS + hub.count / WATCHERS_A_MS)
  hub.timer ??= setTimeout(() => {
    look(runtime, hub)
      .catch((error: unknown) => runtime.log.warn({ err: error }, 'watched sessions could not be looked up'))
      .finally(() => {
        hub.timer = undefined
        schedule(runtime, hub)
      })
  }, pause).unref()
}

async function look(runtime: Runtime, hub: Hub): Promise<void> {
  const ids = [...hub.watchers.keys()]
  for (let at = 0; at < ids.length; at += CHUNK) {
    const chunk = ids.slice(at, at + CHUNK)
    const found = new Map((await listWatched(runtime.db, chunk)).map((session) => [session.id, session]))
    for (const id of chunk) {
      const over = await overOf(runtime, found.get(id))
      for (const watcher of hub.watchers.get(id) ?? []) conclude(runtime, hub, watcher, over)
    }
  }
}

function conclude(runtime: Runtime, hub: Hub, watcher: Watcher, over: AppError | 'erased' | undefined): void {
  const end = (...said: Parameters<Watcher['tell']>) => {
    forget(hub, watcher)
    watcher.tell(...said)
  }
  const sessionId = runtime.vault.ids.seal('ses', watcher.sessionId)
  if (over === 'erased') end('session.ended', { sessionId, code: 'session_revoked', reason: 'user_erased' })
  else if (over) end('session.ended', { sessionId, code: over.code, detail: over.message, ...over.details })
  else if (runtime.now() >= watcher.until) end('token.expired', { sessionId })
  else if (runtime.stopping) end(undefined, {})
}

/** Why a session is over, in the words of the 401 that its next call gets; undefined while it lives. */
async function overOf(runtime: Runtime, session: WatchedSession | undefined): Promise<AppError | 'erased' | undefined> {
  if (!session) return 'erased'
  if (session.endedAt) return refuseEnded(runtime, { ...session, endedAt: session.endedAt })
  const app = await appAt(runtime, session.appId, session.appVersion)
  const over = app && timedOut(runtime, session, app.settings.sessionPolicy.idleTimeout, runtime.now())
  return over && refuseEnded(runtime, { ...session, endedAt: over.at, endReason: over.reason })
}
