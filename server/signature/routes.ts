import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { methodNotAllowed, parse, sendJson, sendNothing } from '#server/http/answer.ts'
import { originOf, authenticate } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { guess } from '#server/traffic/guess.ts'
import { changeQuestions, questionsChange } from './changeQuestions.ts'
import { confirmReset, resetConfirmation } from './confirm.ts'
import { describeSignature } from './describe.ts'
import { inTurn } from './inTurn.ts'
import { requestReset } from './reset.ts'
import { setSignature, signatureChange } from './set.ts'
import { signatureCheck, verifySignature } from './verify.ts'

/** The secret that a person signs with: set, shown to be known, reset by a mailed code. */
export function signatureRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.get('/v1/me/signature', async (request, response) => {
    const access = await authenticate(runtime, request, response)
    sendJson(response, await describeSignature(runtime, access.session.userId))
  })
  router.put('/v1/me/signature', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const input = parse(signatureChange, request.body)
    const origin = originOf(runtime, request)
    await guess(runtime, access, origin, () =>
      inTurn(runtime, access, () => setSignature(runtime, access, input, origin)),
    )
    sendNothing(response)
  })
  router.all('/v1/me/signature', methodNotAllowed('GET, PUT'))

  router.post('/v1/me/signature/verify', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const input = parse(signatureCheck, request.body)
    const origin = originOf(runtime, request)
    await guess(runtime, access, origin, () =>
      inTurn(runtime, access, () => verifySignature(runtime, access, input, origin)),
    )
    sendJson(response, { valid: true })
  })
  router.all('/v1/me/signature/verify', methodNotAllowed('POST'))

  router.put('/v1/me/signature/recovery-questions', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const input = parse(questionsChange, request.body)
    const origin = originOf(runtime, request)
    await guess(runtime, access, origin, () =>
      inTurn(runtime, access, () => changeQuestions(runtime, access, input, origin)),
    )
    sendNothing(response)
  })
  router.all('/v1/me/signature/recovery-questions', methodNotAllowed('PUT'))

  router.post('/v1/me/signature/reset', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    parse(z.strictObject({}), request.body)
    const origin = originOf(runtime, request)
    sendJson(response, await inTurn(runtime, access, () => requestReset(runtime, access, origin)), 202)
  })
  router.all('/v1/me/signature/reset', methodNotAllowed('POST'))

  router.post('/v1/me/signature/reset/confirm', ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const input = parse(resetConfirmation, request.body)
    const origin = originOf(runtime, request)
    await guess(runtime, access, origin, () =>
      inTurn(runtime, access, () => confirmReset(runtime, access, input, origin)),
    )
    sendNothing(response)
  })
  router.all('/v1/me/signature/reset/confirm', methodNotAllowed('POST'))
  return router
}
