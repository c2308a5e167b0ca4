import { createServer, type RequestListener, type Server } from 'node:http'
import { Server as NetServer, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Config } from './config.ts'

/** Serves HTTP with time-outs that hold: Node looks at them every 30 s unless told otherwise, whatever they say. */
export function serve(
  app: RequestListener,
  config: Pick<Config, 'host' | 'port'>,
): Promise<{ server: Server; port: number }> {
  const server = createServer(
    {
      connectionsCheckingInterval: 1_000,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16_384,
    },
    app,
  )
  // What cannot be parsed as HTTP gets a short answer, and never more than one.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request'
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, () => resolve({ server, port: (server.address() as AddressInfo).port }))
  })
}

/**
 * Stops accepting, lets requests in flight finish, and after `patience` milliseconds cuts what is left. Every answer from now on asks its
 * client to close. An idle connection stays for `farewell` milliseconds, because its client may be sending a request just now, and
 * closing under it would reset that request.
 */
export async function drain(server: Server, patience: number, farewell = 0): Promise<void> {
  let open = true
  const closed = new Promise<void>((resolve) => {
    // The HTTP server's own close() would also close idle connections at once.
    NetServer.prototype.close.call(server, () => resolve())
  })
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'))
  const cut = setTimeout(() => server.closeAllConnections(), patience)
  const closeIdle = async () => {
    for (let pause = farewell; open; pause = 50) {
      await wait(pause)
      server.closeIdleConnections()
    }
  }
  void closeIdle()
  await closed
  open = false
  clearTimeout(cut)
}
