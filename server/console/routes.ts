import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { Router, type RequestHandler } from 'express'
import { AppError } from '#server/error.ts'
import { methodNotAllowed, requestId, sendJson } from '#server/http/answer.ts'
import type { Runtime } from '#server/runtime.ts'
import { createContext } from './context.ts'
import { openApiDocument, restRoutes } from './rest.ts'
import { consoleRouter } from './router.ts'
import { refusalOf } from './trpc.ts'

/** Everything operators call: tRPC for the console, REST for scripts, and the document that describes both. */
export function consoleRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const document = openApiDocument(runtime.config.publicUrl)

  router.use('/trpc', jsonOnly, (_request, response, next) => {
    response.setHeader('cache-control', 'no-store')
    next()
  })
  router.use(
    '/trpc',
    createExpressMiddleware({
      router: consoleRouter,
      maxBodySize: 262_144,
      allowBatching: true,
      createContext: ({ req, res }) => createContext(runtime, req, res),
      responseMeta({ errors }) {
        const waits = errors.flatMap((error) => refusalOf(error).retryAfter ?? [])
        return waits.length > 0 ? { headers: new Headers({ 'retry-after': String(Math.max(...waits)) }) } : {}
      },
      onError({ error, path, req }) {
        const refusal = refusalOf(error)
        if (refusal.status >= 500)
          runtime.log.error(
            { requestId: requestId(req), procedure: path, err: refusal.cause ?? error },
            refusal.message,
          )
      },
    }),
  )
  router.get('/api/openapi.json', (_request, response) => sendJson(response, document))
  router.all('/api/openapi.json', methodNotAllowed('GET'))
  router.use(restRoutes(runtime, body))
  return router
}

/** A form on a foreign page can send text/plain, never application/json without asking first. */
const jsonOnly: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' || request.is('application/json')) return next()
  throw new AppError('unsupported_media_type', 'Send the body as application/json')
}
