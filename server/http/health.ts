import { Router } from 'express'
import { findVersion } from '#server/app/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { methodNotAllowed, sendJson } from './answer.ts'

/** For supervisors and load balancers: `/healthz` says that the process answers, `/readyz` that it can do its work. */
export function healthRoutes(runtime: Runtime): Router {
  const router = Router()
  router.get('/healthz', (_request, response) => sendJson(response, { status: 'ok' }))
  router.get('/readyz', async (_request, response) => {
    const problem = runtime.stopping
      ? 'stopping'
      : await findVersion(runtime.db, { id: 0 })
          .then(() => runtime.keys.active())
          .then(
            () => undefined,
            (error: unknown) => {
              runtime.log.error({ err: error }, 'not ready')
              return 'the database or the signing keys cannot be used'
            },
          )
    sendJson(response, problem ? { status: 'unavailable', problem } : { status: 'ok' }, problem ? 503 : 200)
  })
  router.all(['/healthz', '/readyz'], methodNotAllowed('GET'))
  return router
}
