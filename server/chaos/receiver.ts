import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

/** One call that the receiver got. */
export type ChaosCall = { method: string; path: string; headers: Record<string, string>; body: string }

type Behaviour = {
  what: string
  answer(response: ServerResponse, query: URLSearchParams, rest: string): void
}

const FIVE_MB = Buffer.alloc(5_000_000, 'x')
const METADATA = 'http://169.254.169.254/latest/meta-data/'

const number = (text: string | null, otherwise: number, most: number) =>
  text !== null && /^\d+(\.\d+)?$/.test(text) ? Math.min(Number(text), most) : otherwise

/** What goes wrong at receivers, each at a path of its own. */
export const behaviours: Record<string, Behaviour> = {
  ok: { what: 'takes it: 204', answer: (response) => void response.writeHead(204).end() },
  status: {
    what: '/status/503 answers that status',
    answer: (response, _query, rest) => {
      const status = number(rest, 500, 599)
      response
        .writeHead(status < 200 || status === 204 || status === 304 ? 204 : status, text)
        .end(`status ${status}\n`)
    },
  },
  redirect: {
    what: '?to=URL (or the cloud’s metadata) by 302; must not be followed',
    answer: (response, query) => void response.writeHead(302, { location: query.get('to') ?? METADATA }).end(),
  },
  gone: { what: 'says 410: must not be called again', answer: (response) => void response.writeHead(410, text).end() },
  busy: {
    what: '?after=SECONDS says 429 with Retry-After (30)',
    answer: (response, query) => {
      const after = number(query.get('after'), 30, 1_000_000)
      response.writeHead(429, { ...text, 'retry-after': String(after) }).end('too many\n')
    },
  },
  drip: {
    what: 'answers one byte a second and never ends',
    answer: (response) => {
      response.writeHead(200, text)
      const drip = setInterval(() => response.write('.'), 1_000)
      response.on('close', () => clearInterval(drip))
    },
  },
  reset: { what: 'resets the connection', answer: (response) => void response.socket?.resetAndDestroy() },
  cut: {
    what: 'announces more than it sends, then closes',
    answer: (response) => {
      response.writeHead(200, { ...text, 'content-length': '1000' })
      response.write('half', () => response.destroy())
    },
  },
  hang: { what: 'never answers', answer: () => {} },
  slow: {
    what: '?ms=MILLISECONDS takes it after a while (3000)',
    answer: (response, query) => {
      const timer = setTimeout(() => response.writeHead(204).end(), number(query.get('ms'), 3_000, 600_000))
      response.on('close', () => clearTimeout(timer))
    },
  },
  huge: { what: 'answers 5 MB', answer: (response) => void response.writeHead(200, text).end(FIVE_MB) },
  garbage: {
    what: 'answers what is no HTTP',
    answer: (response) => void response.socket?.end('SMTP 220 wrong door\r\n\r\n'),
  },
  flaky: {
    what: '?rate=SHARE fails that share of calls with 500 (0.5)',
    answer: (response, query) =>
      void response.writeHead(Math.random() < number(query.get('rate'), 0.5, 1) ? 500 : 204).end(),
  },
}

const text = { 'content-type': 'text/plain; charset=utf-8' }
const MOST_BODY = 1_000_000

/** A receiver of webhooks that does everything wrong on request, for trying out a sender. @param onCall is told of every call */
export function createChaosReceiver(onCall: (call: ChaosCall) => void = () => {}): Server {
  const server = createServer((request, response) => {
    readBody(request)
      .then((body) => {
        const { pathname, searchParams } = new URL(request.url ?? '/', 'http://receiver')
        const [, name = '', rest = ''] = pathname.split('/')
        const { method = 'GET' } = request
        onCall({ method, path: request.url ?? '/', headers: request.headers as Record<string, string>, body })
        const behaviour = Object.hasOwn(behaviours, name) ? behaviours[name] : undefined
        if (behaviour) behaviour.answer(response, searchParams, rest)
        else response.writeHead(404, text).end(help())
      })
      .catch(() => response.destroy())
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_BODY) throw new Error('too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What there is, for people. */
export function help(): string {
  return Object.entries(behaviours)
    .map(([name, { what }]) => `/${name.padEnd(9)} ${what}\n`)
    .join('')
}
