import { Router, type RequestHandler } from 'express'
import { getApp } from '#server/app/app.ts'
import { limitKey } from '#server/http/address.ts'
import { methodNotAllowed, parse, sendJson, setQuota } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { telegramLogin, telegramLoginInput } from './login.ts'

export function telegramRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  router.post('/v1/apps/:app/telegram/login', ...body, async (request, response) => {
    const app = await getApp(runtime, String(request.params['app']))
    const origin = originOf(runtime, request)
    setQuota(response, await runtime.limits.signIn(app, limitKey(origin.ip)))
    const input = parse(telegramLoginInput, request.body)
    const proof = 'initData' in input ? /(?:^|&)hash=([0-9a-f]{64})(?:&|$)/.exec(input.initData)?.[1] : undefined
    sendJson(
      response,
      await attempt(runtime, { app, method: 'telegram', ...origin, proof, request }, () =>
        telegramLogin(runtime, app, input, origin),
      ),
    )
  })
  router.all('/v1/apps/:app/telegram/login', methodNotAllowed('POST'))
  return router
}
