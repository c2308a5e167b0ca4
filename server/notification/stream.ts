import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '#server/error.ts'
import { bearerToken } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { verifyAccess, type Access } from '#server/token/verifyAccess.ts'
import { showNotification } from './show.ts'
import { listInbox } from './store.ts'

/** How often it looks for what other processes recorded, and whether the session still lives. */
const LOOK_EVERY_MS = 2_000
const BEAT_EVERY_MS = 15_000
const MOST_STREAMS = 5
const MOST_AT_ONCE = 100
/** A client that reads nothing for so long is cut off; it finds what it missed when it comes back. */
const PATIENCE_MS = 30_000
/** Something is told of inside its transaction: it is looked for when that may be over, and again when it took long. */
const LOOK_AFTER_MS = [10, 100, 400]
/** On PostgreSQL an event with a lower number can be committed after one with a higher; none takes this long. */
const LATE_MS = 15_000

const open = new WeakMap<Runtime, Map<number, number>>()

/**
 * A person's notifications as they come, as Server-Sent Events (WHATWG HTML §9.2). `Last-Event-ID` brings what was missed since. It ends with
 * the session, and when the server stops.
 * @throws AppError rate_limited when the person has too many streams open
 */
export async function streamInbox(
  runtime: Runtime,
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
): Promise<void> {
  const { userId } = access.session
  const token = bearerToken(request)
  let counts = open.get(runtime)
  if (!counts) open.set(runtime, (counts = new Map()))
  const own = counts.get(userId) ?? 0
  if (own >= MOST_STREAMS)
    throw new AppError('rate_limited', `At most ${MOST_STREAMS} streams at once; close another first`, {
      retryAfter: 5,
    })
  counts.set(userId, own + 1)
  let over = false
  response.on('close', () => {
    over = true
    const left = (counts.get(userId) ?? 1) - 1
    if (left > 0) counts.set(userId, left)
    else counts.delete(userId)
  })

  const named = request.headers['last-event-id']
  const missed = typeof named === 'string' ? runtime.vault.ids.parse('evt', named) : undefined
  /** Up to here everything has been shown and nothing more can come; what was shown beyond, with when it was recorded. */
  const shown = new Map<number, number>()
  let settled = missed ?? (await passed(runtime, userId, shown))
  let last = Math.max(settled, ...shown.keys())
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  // Where it begins is said at once: what comes while a client is on its way back is not lost on one that has been shown nothing yet.
  response.write(`retry: 3000\nid: ${runtime.vault.ids.seal('evt', last)}\n\n`)

  let looking = false
  let again = false
  const look = async () => {
    if (looking) {
      again = true
      return
    }
    looking = true
    do {
      again = false
      const limit = MOST_AT_ONCE + shown.size
      const rows = await listInbox(runtime.db, userId, { after: settled, limit })
      // Whoever is gone is written to no more.
      if (over || response.writableEnded) return
      for (const row of rows) {
        if (shown.has(row.id)) continue
        shown.set(row.id, row.createdAt.getTime())
        last = Math.max(last, row.id)
        const notification = await showNotification(runtime, row)
        if (over) return
        // The highest number so far, so that one that came late does not bring the others again.
        const id = runtime.vault.ids.seal('evt', last)
        response.write(`id: ${id}\nevent: notification\ndata: ${JSON.stringify(notification)}\n\n`)
        if (response.writableNeedDrain) await drained(response)
        if (over) return
      }
      const late = runtime.now().getTime() - LATE_MS
      for (const [id, createdAt] of [...shown].sort(([a], [b]) => a - b)) {
        if (createdAt > late) break
        shown.delete(id)
        settled = id
      }
      again ||= rows.length === limit
    } while (again)
    looking = false
  }
  const end = () => response.end()
  const stopListening = runtime.outbox.listen(userId, () => {
    for (const ms of LOOK_AFTER_MS) setTimeout(() => void look().catch(end), ms).unref()
  })
  let beatAt = performance.now()
  const ticking = setInterval(() => {
    if (runtime.stopping) return void end()
    if (performance.now() - beatAt > BEAT_EVERY_MS) {
      beatAt = performance.now()
      response.write(': still here\n\n')
    }
    Promise.resolve(verifyAccess(runtime, token)).then(look).catch(end)
  }, LOOK_EVERY_MS)
  const close = () => {
    clearInterval(ticking)
    stopListening()
  }
  if (over) return void close()
  response.on('close', close)
  if (missed !== undefined) await look()
}

/** Waits until a client has read what was written, so that what it does not read waits in the database and not here. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const impatient = setTimeout(() => response.destroy(), PATIENCE_MS)
    const done = () => {
      clearTimeout(impatient)
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/** Up to where a person's inbox is settled now; what is younger is noted in `shown`, because it is not to be brought. */
async function passed(runtime: Runtime, userId: number, shown: Map<number, number>): Promise<number> {
  const late = runtime.now().getTime() - LATE_MS
  const rows = await listInbox(runtime.db, userId, { limit: MOST_AT_ONCE })
  for (const { id, createdAt } of rows) {
    if (createdAt.getTime() <= late) return id
    shown.set(id, createdAt.getTime())
  }
  return rows.length === MOST_AT_ONCE ? rows.at(-1)!.id : 0
}
