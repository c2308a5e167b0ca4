import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '#server/error.ts'
import { bearerToken } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { verifyAccess, type Access } from '#server/token/verifyAccess.ts'
import { showNotification } from './show.ts'
import { lastInInbox, listInbox } from './store.ts'

/** How often it looks for what other processes recorded, and whether the session still lives. */
const LOOK_EVERY_MS = 2_000
const BEAT_EVERY_MS = 15_000
const MOST_STREAMS = 5
const MOST_AT_ONCE = 100

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

  const last = request.headers['last-event-id']
  const missed = typeof last === 'string' ? runtime.vault.ids.parse('evt', last) : undefined
  let seen = missed ?? (await lastInInbox(runtime.db, userId))
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  response.write('retry: 3000\n\n')

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
      const rows = await listInbox(runtime.db, userId, { after: seen, limit: MOST_AT_ONCE })
      for (const row of rows) {
        const notification = await showNotification(runtime, row)
        response.write(`id: ${notification.id}\nevent: notification\ndata: ${JSON.stringify(notification)}\n\n`)
        seen = row.id
      }
      again ||= rows.length === MOST_AT_ONCE
    } while (again)
    looking = false
  }
  const end = () => response.end()
  const stopListening = runtime.outbox.listen(userId, () => setTimeout(() => void look().catch(end), 10))
  let beatAt = performance.now()
  const ticking = setInterval(() => {
    if (runtime.stopping) return void end()
    if (performance.now() - beatAt > BEAT_EVERY_MS) {
      beatAt = performance.now()
      response.write(': still here\n\n')
    }
    Promise.resolve(verifyAccess(runtime, token)).then(look).catch(end)
  }, LOOK_EVERY_MS)
  response.on('close', () => {
    clearInterval(ticking)
    stopListening()
    const left = (counts.get(userId) ?? 1) - 1
    if (left > 0) counts.set(userId, left)
    else counts.delete(userId)
  })
  if (missed !== undefined) await look()
}
