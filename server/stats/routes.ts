import { Router, type Request } from 'express'
import ipaddr from 'ipaddr.js'
import { AppError } from '#server/error.ts'
import { methodNotAllowed } from '#server/http/answer.ts'
import { addressOf } from '#server/http/authenticate.ts'
import { assertRight, assertSeesAll } from '#server/operator/operator.ts'
import { operatorOfToken } from '#server/operator/tokens.ts'
import type { Runtime } from '#server/runtime.ts'
import { createMetrics } from './metrics.ts'

/** `/metrics` for Prometheus: open to this machine, to others with an operator's API token, because figures tell how much business there is. */
export function metricsRoutes(runtime: Runtime): Router {
  const router = Router()
  const registry = createMetrics(runtime)
  router.get('/metrics', async (request, response) => {
    await assertMayScrape(runtime, request)
    response.setHeader('content-type', registry.contentType)
    response.setHeader('cache-control', 'no-store')
    response.end(await registry.metrics())
  })
  router.all('/metrics', methodNotAllowed('GET'))
  return router
}

async function assertMayScrape(runtime: Runtime, request: Request): Promise<void> {
  if (isThisMachine(runtime, request)) return
  const token = /^Bearer (gh_op_[\w-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const found = token === undefined ? undefined : await operatorOfToken(runtime, token, 'op')
  if (!found) throw new AppError('token_invalid', 'Send an operator API token as Authorization: Bearer gh_op_…')
  assertRight(found.operator, 'view')
  assertSeesAll(found.operator)
}

/** A proxy on this machine that nobody told us of must not pass the world off as this machine. */
function isThisMachine(runtime: Runtime, request: Request): boolean {
  const { headers } = request
  const forwarded = headers['x-forwarded-for'] ?? headers['forwarded'] ?? headers['x-real-ip']
  if (forwarded !== undefined && runtime.config.trustProxy.length === 0) return false
  const ip = addressOf(runtime, request)
  return ipaddr.isValid(ip) && ipaddr.process(ip).range() === 'loopback'
}
