import { Router, type Request, type RequestHandler, type Response } from 'express'
import { getApp } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import { methodNotAllowed, parse, requestId, setQuota } from '#server/http/answer.ts'
import { bearerToken, originOf } from '#server/http/authenticate.ts'
import type { Quota } from '#server/http/limits.ts'
import type { Runtime } from '#server/runtime.ts'
import { touchAccess, verifyAccess, type Access } from '#server/token/verifyAccess.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { readTry, spendTry } from '#server/traffic/spend.ts'
import { createEngine, operation, placeOf, refusalOf, type Result } from './graphqlEngine.ts'
import type { Call } from './graphqlSchema.ts'

const PATH = '/v1/apps/:app/graphql'

/** A document can be wrong in a hundred places; nobody reads more than some. */
const MOST_ERRORS = 10

/** Yoga's GraphiQL is one page with everything in it. */
const EXPLORER_POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  'font-src data:',
  'img-src data:',
  'worker-src blob:',
  "frame-ancestors 'none'",
].join('; ')

/**
 * Nabi's API. Its logins are queries there, which a GET, a cache or a foreign page's form could send: here everything
 * is POST with JSON. A refusal has its HTTP status whatever media type the client prefers, also beside data.
 */
export function graphqlRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const { development } = runtime.config
  const engine = createEngine(PATH, development)

  router.post(PATH, ...body, async (request, response) => {
    send(runtime, request, response, await run(request, response).catch((error: unknown) => ({ errors: [error] })))
  })

  if (development) {
    router.get(PATH, async (request, response, next) => {
      if (!request.headers.accept?.includes('text/html')) return next()
      response.setHeader('cache-control', 'no-store')
      response.setHeader('content-security-policy', EXPLORER_POLICY)
      await engine.explorer(request, response)
    })
  }
  router.all(PATH, methodNotAllowed('POST'))
  return router

  async function run(request: Request, response: Response): Promise<Result> {
    const call = await openCall(runtime, request, response)
    await call.charge()
    return engine.run(call, parse(operation, request.body))
  }
}

async function openCall(runtime: Runtime, request: Request, response: Response): Promise<Call> {
  const app = await getApp(runtime, String(request.params['app']))
  const origin = originOf(runtime, request)
  let access: Promise<Access> | undefined

  async function authenticate(): Promise<Access> {
    const found = await verifyAccess(runtime, bearerToken(request))
    if (found.app.id !== app.id) throw new AppError('token_invalid', 'This token was issued by another app')
    return touchAccess(runtime, found, runtime.now())
  }

  return {
    runtime,
    app,
    origin,
    async charge() {
      const { callsPerAddress } = app.settings.rateLimits
      setQuota(response, await runtime.limits.call(limitKey(origin.ip), callsPerAddress))
    },
    async attempt(method, read, claimOf, work) {
      const over = await spendTry(runtime, response, app, origin.ip)
      const input = await readTry(over, read)
      const tried = { app, method, ...origin, claim: claimOf(input), request, over }
      return attempt(runtime, tried, () => work(input))
    },
    access: () => (access ??= authenticate()),
  }
}

/** Of several refusals the highest status counts, so that a fault of ours is never taken for the client's. */
function send(runtime: Runtime, request: Request, response: Response, { data, errors = [] }: Result): void {
  const id = requestId(request)
  const refused = errors.slice(0, MOST_ERRORS).map((error) => ({ refusal: refusalOf(error), place: placeOf(error) }))
  const status = Math.max(200, ...refused.map(({ refusal }) => refusal.status))
  for (const { refusal } of refused) {
    if (refusal.status === status) setRefusalHeaders(response, refusal)
    if (refusal.status >= 500) {
      const { method, path } = request
      const cause = refusal.cause ?? refusal
      runtime.log.error({ requestId: id, method, path, code: refusal.code, err: cause }, refusal.message)
    }
  }
  const text = JSON.stringify({
    ...(refused.length > 0 && {
      errors: refused.map(({ refusal, place }) => ({
        message: refusal.message,
        ...place,
        extensions: publicParts(refusal, id),
      })),
    }),
    ...(data !== undefined && { data }),
  })
  const type = request.accepts(['application/json', 'application/graphql-response+json']) || 'application/json'
  response.statusCode = status
  response.setHeader('content-type', `${type}; charset=utf-8`)
  response.setHeader('cache-control', 'no-store')
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}

/** The members that problem+json has, as extensions. */
function publicParts({ code, details, errors, retryAfter }: AppError, requestId: string) {
  return {
    ...details,
    code,
    requestId,
    ...(errors && { errors }),
    ...(retryAfter !== undefined && { retryAfter }),
  }
}

function setRefusalHeaders(response: Response, { code, status, details, retryAfter }: AppError): void {
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter))
  if (code === 'rate_limited' && details) setQuota(response, details as Quota)
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="gatehouse", error="invalid_token"')
}
