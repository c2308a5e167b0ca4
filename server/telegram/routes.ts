import { Router, type RequestHandler } from 'express'
import { getApp } from '#server/app/app.ts'
import { limitKey } from '#server/http/address.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, parse, sendJson, setQuota } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import { jsonOf } from '#server/http/body.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { claimOf } from './claim.ts'
import { telegramLogin, telegramLoginInput } from './login.ts'

/** A person signs in by what Telegram says of them. */
export function telegramSignIn(runtime: Runtime): Handler {
  return async (request, response, key) => {
    const app = await getApp(runtime, key)
    const origin = originOf(runtime, request)
    setQuota(response, await runtime.limits.signIn(app, limitKey(origin.ip)))
    const body = await jsonOf(request)
    const input = parse(telegramLoginInput(body), body)
    const proof = 'initData' in input ? /(?:^|&)hash=([0-9a-f]{64})(?:&|$)/.exec(input.initData)?.[1] : undefined
    const claim = claimOf(input)
    sendJson(
      response,
      await attempt(runtime, { app, method: 'telegram', ...origin, proof, claim, request }, () =>
        telegramLogin(runtime, app, input, origin),
      ),
    )
  }
}

export function telegramRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const signIn = telegramSignIn(runtime)
  router.post('/v1/apps/:app/telegram/login', ...body, (request, response) =>
    signIn(request, response, String(request.params['app'])),
  )
  router.all('/v1/apps/:app/telegram/login', methodNotAllowed('POST'))
  return router
}
