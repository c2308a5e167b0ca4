import { Router, type RequestHandler } from 'express'
import { getApp } from '#server/app/app.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, parse, sendJson } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import { jsonOf } from '#server/http/body.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { readTry, spendTry } from '#server/traffic/spend.ts'
import { claimOf } from './claim.ts'
import { telegramLogin, telegramLoginInput } from './login.ts'

/** A person signs in by what Telegram says of them. */
export function telegramSignIn(runtime: Runtime): Handler {
  return async (request, response, key) => {
    const app = await getApp(runtime, key)
    const origin = originOf(runtime, request)
    const over = await spendTry(runtime, response, app, origin.ip)
    const input = await readTry(over, async () => {
      const body = await jsonOf(request)
      return parse(telegramLoginInput(body), body)
    })
    const proof = 'initData' in input ? /(?:^|&)hash=([0-9a-f]{64})(?:&|$)/.exec(input.initData)?.[1] : undefined
    const claim = claimOf(input)
    sendJson(
      response,
      await attempt(runtime, { app, method: 'telegram', ...origin, proof, claim, request, over }, () =>
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
