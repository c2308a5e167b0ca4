import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { getApp } from '#server/app/app.ts'
import { limitKey } from '#server/http/address.ts'
import { methodNotAllowed, parse, sendJson, setQuota } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { parseAddress } from './address.ts'
import { tonLogin } from './login.ts'
import { createNonce } from './nonce.ts'
import { walletProof } from './prove.ts'

const nonceInput = z.strictObject({ address: z.string().min(1).max(80).optional() })

export function tonRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.post('/v1/apps/:app/ton/nonce', ...body, async (request, response) => {
    const app = await getApp(runtime, String(request.params['app']))
    const origin = originOf(runtime, request)
    setQuota(response, await runtime.limits.signIn(app, limitKey(origin.ip)))
    const { address } = parse(nonceInput, request.body)
    const raw = address === undefined ? undefined : parseAddress(address)
    const nonce = await attempt(runtime, { app, method: 'nonce', ...origin, request }, () =>
      createNonce(runtime, app, raw),
    )
    sendJson(response, nonce, 201)
  })
  router.all('/v1/apps/:app/ton/nonce', methodNotAllowed('POST'))

  router.post('/v1/apps/:app/ton/login', ...body, async (request, response) => {
    const app = await getApp(runtime, String(request.params['app']))
    const origin = originOf(runtime, request)
    setQuota(response, await runtime.limits.signIn(app, limitKey(origin.ip)))
    const proof = parse(walletProof, request.body)
    const login = await attempt(runtime, { app, method: 'ton', ...origin, request }, () =>
      tonLogin(runtime, app, proof, origin),
    )
    sendJson(response, login)
  })
  router.all('/v1/apps/:app/ton/login', methodNotAllowed('POST'))
  return router
}
