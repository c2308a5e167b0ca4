import { Router, type RequestHandler } from 'express'
import { getApp } from '#server/app/app.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, parse, sendJson } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import { jsonOf } from '#server/http/body.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { readTry, spendTry } from '#server/traffic/spend.ts'
import { ssoLogin, ssoLoginInput } from './login.ts'

/** An app's own users enter with a token of the app's own server. */
export function ssoSignIn(runtime: Runtime): Handler {
  return async (request, response, key) => {
    const app = await getApp(runtime, key)
    const origin = originOf(runtime, request)
    const over = await spendTry(runtime, response, app, origin.ip)
    const input = await readTry(over, async () => parse(ssoLoginInput, await jsonOf(request)))
    sendJson(
      response,
      await attempt(runtime, { app, method: 'sso', ...origin, request, over }, () =>
        ssoLogin(runtime, app, input, origin),
      ),
    )
  }
}

export function ssoRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const signIn = ssoSignIn(runtime)
  router.post('/v1/apps/:app/sso/login', ...body, (request, response) =>
    signIn(request, response, String(request.params['app'])),
  )
  router.all('/v1/apps/:app/sso/login', methodNotAllowed('POST'))
  return router
}
