import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Runtime } from '#server/runtime.ts'
import { answersAhead, refuse } from './answer.ts'
import type { Cors } from './cors.ts'
import { headersOf, setSecurityHeaders } from './security.ts'

/**
 * Answers one call; what it throws becomes a refusal. Takes Node's own request, so it serves with Express and without.
 * @param app what the path names as the app, where it does
 */
export type Handler = (request: IncomingMessage, response: ServerResponse, app: string) => Promise<void>

const OF_APP = '/v1/apps/'

/**
 * Answers the few calls that come with every request of an app, and the sign-ins, before Express sees them: its way to a route costs as much as the whole
 * check of a session. Only what needs nothing of Express goes this way: the exact path, and a body that is a form or plain JSON. The same
 * handlers stand in Express's routers for everything else.
 * @param calls by method and path, such as `GET /v1/session` and `POST /v1/apps/:app/sso/login`
 */
export function ahead(
  runtime: Runtime,
  allow: Cors,
  calls: Record<string, Handler>,
  otherwise: RequestListener,
): RequestListener {
  const handlers = new Map(Object.entries(calls))
  const headers = headersOf(runtime.config)

  function find(method: string, url: string): { handler: Handler; app: string } | undefined {
    const handler = handlers.get(`${method} ${url}`)
    if (handler) return { handler, app: '' }
    if (!url.startsWith(OF_APP)) return undefined
    const end = url.indexOf('/', OF_APP.length)
    const app = url.slice(OF_APP.length, end)
    const ofApp = /^[\w-]+$/.test(app) ? handlers.get(`${method} ${OF_APP}:app${url.slice(end)}`) : undefined
    return ofApp && { handler: ofApp, app }
  }

  return (request, response) => {
    const url = request.url!
    const found = find(request.method!, url)
    if (!found || !isPlain(request.headers, found.app !== '')) {
      otherwise(request, response)
      return
    }
    answersAhead(response, headers)
    const answered =
      request.headers.origin === undefined || !url.startsWith('/v1/')
        ? found.handler(request, response, found.app)
        : allow(request, response, url).then(() => found.handler(request, response, found.app))
    answered.catch((error: unknown) => {
      if (!response.headersSent) setSecurityHeaders(response, runtime.config)
      if (!refuse(runtime, error, request, response)) response.destroy()
    })
  }
}

/** Whether a body, if there is one, is as most are. Other spellings of the type, and compression, are Express's to judge. */
function isPlain(headers: IncomingHttpHeaders, json: boolean): boolean {
  if (!json) return true
  const type = headers['content-type']
  return (
    (type === 'application/json' ||
      type === 'application/json; charset=utf-8' ||
      type === 'application/json;charset=UTF-8') &&
    headers['content-encoding'] === undefined &&
    Number(headers['content-length']) > 0
  )
}
