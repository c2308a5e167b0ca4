import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '#server/error.ts'
import { authenticate } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { watchSession, type Watcher } from './watch.ts'

const HEARTBEAT_MS = 15_000
/** What a client that does not read may leave lying here. */
const MOST_UNREAD = 16_384

/**
 * Server-Sent Events for the bearer of a session: `session.ended` with the reason, and for an evicted one the new login's time and device, within a second
 * of the end wherever it came about; then the stream is over, and the next call's 401 says the same. The stream also ends with the access token that
 * opened it (`token.expired`): open it again with the next one.
 */
export async function sessionEvents(
  runtime: Runtime,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const access = await authenticate(runtime, request, response)
  const { socket } = request
  socket.setNoDelay(true)
  const heartbeat = setInterval(() => write(response, ': still here\n\n'), HEARTBEAT_MS).unref()
  const watcher: Watcher = {
    sessionId: access.session.id,
    until: access.tokenExpiresAt,
    tell(type, data) {
      if (type) write(response, `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
      response.end()
    },
  }
  const forget = watchSession(runtime, watcher)
  if (!forget) {
    clearInterval(heartbeat)
    throw new AppError('unavailable', 'Too many streams are open on this server; try again', { retryAfter: 30 })
  }
  response.on('close', () => {
    clearInterval(heartbeat)
    forget()
  })
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies of nginx's kind hold answers back otherwise.
    'x-accel-buffering': 'no',
  })
  write(response, 'retry: 3000\n: open\n\n')
}

function write(response: ServerResponse, text: string): void {
  if (response.writableLength > MOST_UNREAD) response.destroy()
  else response.write(text)
}
