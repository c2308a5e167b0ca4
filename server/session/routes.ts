import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { AppError } from '#server/error.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, parse, sendJson, sendNothing } from '#server/http/answer.ts'
import { authenticate, seenUser, spendUnknown } from '#server/http/authenticate.ts'
import { publicUser } from '#server/identity/publicUser.ts'
import { deviceKind } from '#server/origin/device.ts'
import type { Runtime } from '#server/runtime.ts'
import { refresh } from '#server/token/refresh.ts'
import { sessionEvents } from './events.ts'
import { revokeSession, revokeUserSessions } from './revoke.ts'
import { publicSession, timedOut } from './session.ts'
import { findSessionRow, listLive } from './store.ts'

/** Whom a bearer token speaks for; counts as activity. */
export function sessionCheck(runtime: Runtime): Handler {
  return async (request, response) => {
    const access = await authenticate(runtime, request, response)
    sendJson(response, {
      session: publicSession(runtime, access.app, access.session),
      user: await publicUser(runtime, seenUser(access)),
      expiresIn: Math.max(0, Math.ceil((access.tokenExpiresAt.getTime() - runtime.now().getTime()) / 1000)),
    })
  }
}

/** Sessions as their owner sees them: look, refresh, sign out. */
export function sessionRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const { ids } = runtime.vault

  const check = sessionCheck(runtime)
  router.get('/v1/session', (request, response) => check(request, response, ''))
  router.all('/v1/session', methodNotAllowed('GET'))

  router.get('/v1/session/events', (request, response) => sessionEvents(runtime, request, response))
  router.all('/v1/session/events', methodNotAllowed('GET'))

  router.post('/v1/token/refresh', ...body, async (request, response) => {
    const { refreshToken } = parse(z.strictObject({ refreshToken: z.string().min(1).max(5_000) }), request.body)
    await spendUnknown(runtime, request, response)
    const { accessToken, expiresIn, refreshToken: successor } = await refresh(runtime, refreshToken)
    sendJson(response, { accessToken, tokenType: 'Bearer', expiresIn, ...(successor && { refreshToken: successor }) })
  })
  router.all('/v1/token/refresh', methodNotAllowed('POST'))

  router.post('/v1/logout', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    await revokeSession(runtime, access.session.id, { reason: 'logout' })
    sendNothing(response)
  })
  router.all('/v1/logout', methodNotAllowed('POST'))

  router.post('/v1/logout/all', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    await revokeUserSessions(runtime, access.session.userId, { reason: 'logout_all' })
    sendNothing(response)
  })
  router.all('/v1/logout/all', methodNotAllowed('POST'))

  router.get('/v1/me/sessions', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const rows = await listLive(runtime.db, access.session.userId)
    const { idleTimeout } = access.app.settings.sessionPolicy
    const items = rows
      .filter((row) => !timedOut(runtime, row, idleTimeout, runtime.now()))
      .map((row) => ({
        ...publicSession(runtime, access.app, row),
        device: row.userAgent,
        deviceKind: deviceKind(row.device),
        ip: row.ip,
        country: row.country,
        current: row.id === access.session.id,
      }))
    sendJson(response, { items, nextCursor: null })
  })
  router.all('/v1/me/sessions', methodNotAllowed('GET'))

  router.delete('/v1/me/sessions/:id', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const id = ids.parse('ses', request.params.id)
    const row = id === undefined ? undefined : await findSessionRow(runtime.db, id)
    // A session of somebody else is as unknown as one that never was.
    if (!row || row.userId !== access.session.userId || row.endedAt)
      throw new AppError('not_found', 'You have no such session')
    await revokeSession(runtime, row.id, { reason: 'logout' })
    sendNothing(response)
  })
  router.all('/v1/me/sessions/:id', methodNotAllowed('DELETE'))

  return router
}
