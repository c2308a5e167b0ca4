import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import { Server as NetServer, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { ConfigError, type Config } from './config.ts'

/** Milliseconds for the headers and for the whole of a request. Node looks at them every 30 s unless told otherwise, whatever they say. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 }

/** Serves HTTP with time-outs that hold. */
export function serve(
  app: RequestListener,
  config: Pick<Config, 'host' | 'port'>,
  timeouts = TIMEOUTS,
): Promise<{ server: Server; port: number }> {
  const server = createServer(
    {
      ...timeouts,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16_384,
      // Node would refuse it itself, in no form at all.
      requireHostHeader: false,
    },
    named(app),
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else socket.end(refusalOf(error.code))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const foreign = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'].includes(error.code ?? '')
      const line = `HOST is ${config.host}, which is not an address of this machine; for example HOST=127.0.0.1`
      reject(foreign ? new ConfigError(line) : error)
    })
    server.listen(config.port, config.host, () => resolve({ server, port: (server.address() as AddressInfo).port }))
  })
}

/** HTTP/1.1 wants to know which host is asked (RFC 9112 §3.2); here nothing hangs on its name. */
function named(app: RequestListener): RequestListener {
  return (request, response) => {
    if (request.headers.host !== undefined || request.httpVersion === '1.0') return void app(request, response)
    const body = problem(400, 'Bad Request', 'The Host header is missing')
    response.writeHead(400, { connection: 'close', 'content-type': 'application/problem+json' }).end(body)
  }
}

/** What cannot be parsed as HTTP gets a short answer in the form of all refusals, and never more than one. */
function refusalOf(fault: string | undefined): string {
  const [status, title, detail]: [number, string, string] =
    fault === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'The headers are larger than 16 KiB']
      : fault === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'The request did not arrive in time']
        : [400, 'Bad Request', 'This is not an HTTP request']
  const body = problem(status, title, detail)
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 ${status} ${title}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${length}\r\n\r\n${body}`
}

function problem(status: number, title: string, detail: string): string {
  const requestId = `req_${randomBytes(9).toString('base64url')}`
  const type = 'https://gatehouse.dev/problems/invalid_request'
  return JSON.stringify({ type, title, status, detail, code: 'invalid_request', requestId })
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
