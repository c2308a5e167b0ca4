import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { getApp } from '#server/app/app.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, parse, sendJson } from '#server/http/answer.ts'
import { originOf } from '#server/http/authenticate.ts'
import { jsonOf } from '#server/http/body.ts'
import type { Runtime } from '#server/runtime.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { readTry, spendTry } from '#server/traffic/spend.ts'
import { parseAddress } from './address.ts'
import { tonLogin } from './login.ts'
import { createNonce } from './nonce.ts'
import { claimedAddress, walletProof } from './prove.ts'

const nonceInput = z.strictObject({ address: z.string().min(1).max(80).optional() })

/** A nonce for a wallet to sign. */
export function tonNonce(runtime: Runtime): Handler {
  return async (request, response, key) => {
    const app = await getApp(runtime, key)
    const origin = originOf(runtime, request)
    const over = await spendTry(runtime, response, app, origin.ip)
    const { address } = await readTry(over, async () => parse(nonceInput, await jsonOf(request)))
    const raw = await readTry(over, () => (address === undefined ? undefined : parseAddress(address)))
    const nonce = await attempt(runtime, { app, method: 'nonce', ...origin, claim: raw, request, over }, () =>
      createNonce(runtime, app, raw),
    )
    sendJson(response, nonce, 201)
  }
}

/** A person signs in by their wallet's signature. */
export function tonSignIn(runtime: Runtime): Handler {
  return async (request, response, key) => {
    const app = await getApp(runtime, key)
    const origin = originOf(runtime, request)
    const over = await spendTry(runtime, response, app, origin.ip)
    const proof = await readTry(over, async () => {
      const body = await jsonOf(request)
      return parse(walletProof(body), body)
    })
    const login = await attempt(
      runtime,
      { app, method: 'ton', ...origin, claim: claimedAddress(proof), request, over },
      () => tonLogin(runtime, app, proof, origin),
    )
    sendJson(response, login)
  }
}

export function tonRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const [nonce, signIn] = [tonNonce(runtime), tonSignIn(runtime)]
  router.post('/v1/apps/:app/ton/nonce', ...body, (request, response) =>
    nonce(request, response, String(request.params['app'])),
  )
  router.all('/v1/apps/:app/ton/nonce', methodNotAllowed('POST'))
  router.post('/v1/apps/:app/ton/login', ...body, (request, response) =>
    signIn(request, response, String(request.params['app'])),
  )
  router.all('/v1/apps/:app/ton/login', methodNotAllowed('POST'))
  return router
}
