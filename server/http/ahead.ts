import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Runtime } from '#server/runtime.ts'
import { refuse } from './answer.ts'
import { setSecurityHeaders } from './security.ts'

/** Answers one call; what it throws becomes a refusal. Takes Node's own request, so it serves with Express and without. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * Answers the few calls that come with every request of an app before Express sees them: its way to a route costs as much as the whole check of a session.
 * Only what needs nothing of Express goes this way: the exact path, and no Origin, which CORS has to judge. The same handlers stand in Express's
 * routers for everything else.
 * @param calls by method and path, such as `GET /v1/session`
 */
export function ahead(runtime: Runtime, calls: Record<string, Handler>, otherwise: RequestListener): RequestListener {
  const handlers = new Map(Object.entries(calls))
  return (request, response) => {
    const handler = handlers.get(`${request.method} ${request.url}`)
    if (!handler || request.headers.origin !== undefined) {
      otherwise(request, response)
      return
    }
    setSecurityHeaders(response, runtime.config)
    handler(request, response).catch((error: unknown) => {
      if (!refuse(runtime, error, request, response)) response.destroy()
    })
  }
}
