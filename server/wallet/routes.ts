import { Router, type Request, type RequestHandler, type Response } from 'express'
import { limitKey } from '#server/http/address.ts'
import { methodNotAllowed, parse, sendJson, sendNothing, setQuota } from '#server/http/answer.ts'
import { addressOf, authenticate } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { walletProof } from '#server/ton/prove.ts'
import { linkWallet } from './link.ts'
import { unlinkWallet } from './unlink.ts'
import { listWallets, publicWallet } from './wallet.ts'

/** A person's linked wallets. */
export function walletRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.get('/v1/me/wallets', async (request, response) => {
    const { app, session } = await callOf(request, response)
    const wallets = await listWallets(runtime, app, session.userId)
    sendJson(response, {
      items: wallets.map((wallet) => publicWallet(wallet, session.identityId)),
      nextCursor: null,
    })
  })
  router.post('/v1/me/wallets', ...body, async (request, response) => {
    const { app, session } = await authenticate(runtime, request)
    setQuota(response, await runtime.limits.signIn(app, limitKey(addressOf(runtime, request))))
    const proof = parse(walletProof, request.body)
    const { wallet, isNew } = await linkWallet(runtime, { app, userId: session.userId, proof })
    sendJson(response, publicWallet(wallet, session.identityId), isNew ? 201 : 200)
  })
  router.all('/v1/me/wallets', methodNotAllowed('GET, POST'))

  router.delete('/v1/me/wallets/:address', async (request, response) => {
    const { app, session } = await callOf(request, response)
    const address = request.params.address
    await unlinkWallet(runtime, { app, userId: session.userId, sessionId: session.id, address })
    sendNothing(response)
  })
  router.all('/v1/me/wallets/:address', methodNotAllowed('DELETE'))
  return router

  async function callOf(request: Request, response: Response): Promise<Access> {
    const access = await authenticate(runtime, request)
    const { callsPerAddress } = access.app.settings.rateLimits
    setQuota(response, await runtime.limits.call(limitKey(addressOf(runtime, request)), callsPerAddress))
    return access
  }
}
