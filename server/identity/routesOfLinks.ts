import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { afterAnswer } from '#server/http/afterAnswer.ts'
import { methodNotAllowed, parse, sendJson } from '#server/http/answer.ts'
import { authenticate, originOf } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { inTurn } from '#server/signature/inTurn.ts'
import { guess } from '#server/traffic/guess.ts'
import { requestLink } from './link.ts'
import { confirmLink, linkConfirmation } from './linkConfirm.ts'
import { mailLinkCode } from './linkMail.ts'
import { userView } from './publicUser.ts'

/** International domains too: a login may have brought one. */
const ADDRESS = /^[\w.!#$%&'*+/=?^`{|}~-]+@([\p{L}\p{M}\p{N}-]+\.)+[\p{L}\p{M}\p{N}-]+$/u
const wish = z.strictObject({ email: z.string().max(254).regex(ADDRESS, { message: 'must be an e-mail address' }) })

/** Two accounts of one person become one, by a code that is mailed to the other. */
export function linkRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.post('/v1/me/link', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const { email } = parse(wish, request.body)
    const origin = originOf(runtime, request)
    sendJson(response, await requestLink(runtime, access, email, origin), 202)
    afterAnswer(runtime, response, () => mailLinkCode(runtime, access.app, access.session.userId, origin.ip))
  })
  router.all('/v1/me/link', methodNotAllowed('POST'))

  router.post('/v1/me/link/confirm', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const input = parse(linkConfirmation, request.body)
    const origin = originOf(runtime, request)
    const { user, profile, absorbed } = await guess(runtime, access, origin, () =>
      inTurn(runtime, access, () => confirmLink(runtime, access, input, origin)),
    )
    const { id: userId, createdAt } = user
    sendJson(response, {
      user: userView(runtime, { userId, createdAt }, profile),
      absorbedUserId: runtime.vault.ids.seal('usr', absorbed),
    })
  })
  router.all('/v1/me/link/confirm', methodNotAllowed('POST'))
  return router
}
