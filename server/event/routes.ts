import { raw, Router, type Request, type Response } from 'express'
import { authenticateApp, type ApiKeyScope } from '#server/app/apiKeys.ts'
import { findByKey, type App } from '#server/app/app.ts'
import { describeEvent } from '#server/delivery/describe.ts'
import { AppError } from '#server/error.ts'
import { methodNotAllowed, requireJson, sendJson } from '#server/http/answer.ts'
import { addressOf, countingRefusals, spendCall } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { ingest } from './ingest.ts'
import { findEvent } from './store.ts'

/** Where apps' servers record events, and look what became of them. */
export function eventRoutes(runtime: Runtime): Router {
  const router = Router()
  const path = '/v1/apps/:app/events'

  router.post(path, requireJson, raw({ type: () => true, limit: '256kb' }), async (request, response) => {
    const app = await caller(runtime, request, response, 'events:write')
    const { answer, replayed } = await ingest(runtime, app, textOf(request.body), keyOf(request))
    if (replayed) response.setHeader('idempotent-replayed', 'true')
    sendJson(response, answer, 202)
  })
  router.all(path, methodNotAllowed('POST'))

  router.get(`${path}/:id`, async (request, response) => {
    const app = await caller(runtime, request, response, 'events:read')
    const id = runtime.vault.ids.parse('evt', String(request.params['id']))
    const event = id === undefined ? undefined : await findEvent(runtime.db, id)
    if (!event || event.appId !== app.id) throw new AppError('not_found', 'This app has no such event')
    sendJson(response, await describeEvent(runtime, event))
  })
  router.all(`${path}/:id`, methodNotAllowed('GET'))
  return router
}

/** The app that calls, its call counted. @throws AppError as `callingApp`, and rate_limited */
async function caller(runtime: Runtime, request: Request, response: Response, scope: ApiKeyScope): Promise<App> {
  const app = await countingRefusals(runtime, request, response, callingApp(runtime, request, scope))
  if (runtime.config.rateLimits) await spendCall(runtime, app, request, response)
  return app
}

/** The app of the path, if it is the one that calls: by API key, or from an allow-listed address. */
async function callingApp(runtime: Runtime, request: Request, scope: ApiKeyScope): Promise<App> {
  const named = String(request.params['app'])
  const key = /^Bearer +(gh_sk_[\w-]{1,200})$/i.exec(request.headers.authorization ?? '')?.[1]
  if (request.headers.authorization !== undefined && key === undefined)
    throw new AppError('invalid_credentials', 'Send an API key as Authorization: Bearer gh_sk_…')
  const ip = addressOf(runtime, request)
  const app = await authenticateApp(runtime, { key, clientId: key === undefined ? named : undefined, ip }, scope)
  // A key says which app it belongs to; of any other app it knows nothing.
  if ((await findByKey(runtime, named))?.id !== app.id) throw new AppError('not_found', 'There is no such app')
  return app
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A body as it was written. @throws AppError invalid_request for what is not UTF-8: a replacement would go out as if it had been sent */
function textOf(body: unknown): string {
  if (!Buffer.isBuffer(body)) return ''
  try {
    return utf8.decode(body)
  } catch {
    throw new AppError('invalid_request', 'The body is not UTF-8')
  }
}

function keyOf(request: Request): string | undefined {
  const headers = request.headersDistinct['idempotency-key']
  if (!headers) return undefined
  const [header = '', another] = headers
  if (another !== undefined) throw new AppError('invalid_request', 'Send one Idempotency-Key')
  if (header === '' || header.length > 255)
    throw new AppError('invalid_request', 'An Idempotency-Key is 1 to 255 characters', {
      errors: [{ path: 'Idempotency-Key', message: 'must be 1 to 255 characters' }],
    })
  return header
}
