import { Router, type RequestHandler } from 'express'
import { methodNotAllowed, parse, sendJson, sendNothing } from '#server/http/answer.ts'
import { authenticate, seenUser } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { changeProfile, profileChange } from './changeProfile.ts'
import { eraseUser } from './erase.ts'
import { exportUser } from './export.ts'
import { openProfile } from './findOrCreate.ts'
import { publicUser, userView } from './publicUser.ts'

/** What is held on a person: to see, to correct, to take along, to erase. */
export function identityRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.get('/v1/me', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    sendJson(response, await publicUser(runtime, seenUser(access)))
  })
  router.patch('/v1/me', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const { profileSealed } = await changeProfile(runtime, access.session.userId, parse(profileChange, request.body))
    sendJson(response, userView(runtime, seenUser(access), await openProfile(runtime, runtime.db, profileSealed)))
  })
  router.delete('/v1/me', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    await eraseUser(runtime, access.session.userId)
    sendNothing(response)
  })
  router.all('/v1/me', methodNotAllowed('GET, PATCH, DELETE'))

  router.get('/v1/me/export', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    response.setHeader('content-disposition', 'attachment; filename="export.json"')
    sendJson(response, await exportUser(runtime, access.app, access.session.userId))
  })
  router.all('/v1/me/export', methodNotAllowed('GET'))
  return router
}
