import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { readBalance } from '#server/chain/balance.ts'
import { readHistory } from '#server/chain/history.ts'
import { methodNotAllowed, parse, sendJson, sendNothing } from '#server/http/answer.ts'
import { authenticate, originOf } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import { claimedAddress, walletProof } from '#server/ton/prove.ts'
import { attempt } from '#server/traffic/attempt.ts'
import { readTry, spendTry } from '#server/traffic/spend.ts'
import { publicBalance, publicHistory, readPosition, withLastKnown } from './chain.ts'
import { linkWallet } from './link.ts'
import { unlinkWallet } from './unlink.ts'
import { getWallet, listWallets, publicWallet } from './wallet.ts'

const historyInput = z.strictObject({
  limit: z.coerce.number().int().min(1).max(50).default(20),
  cursor: z.string().max(100).optional(),
})

/** A person's linked wallets, and what the chain knows of them. */
export function walletRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()

  router.get('/v1/me/wallets', async (request, response) => {
    const { app, session } = await authenticate(runtime, request, response)
    const wallets = await listWallets(runtime, app, session.userId)
    sendJson(response, {
      items: wallets.map((wallet) => publicWallet(wallet, session.identityId)),
      nextCursor: null,
    })
  })
  router.post('/v1/me/wallets', ...body, async (request, response) => {
    const { app, session } = await authenticate(runtime, request, response)
    const origin = originOf(runtime, request)
    const over = await spendTry(runtime, response, app, origin.ip)
    const proof = await readTry(over, () => parse(walletProof(request.body), request.body))
    const { wallet, isNew } = await attempt(
      runtime,
      { app, method: 'link', ...origin, claim: claimedAddress(proof), request, over },
      () => linkWallet(runtime, { app, userId: session.userId, proof }),
    )
    sendJson(response, publicWallet(wallet, session.identityId), isNew ? 201 : 200)
  })
  router.all('/v1/me/wallets', methodNotAllowed('GET, POST'))

  router.delete('/v1/me/wallets/:address', async (request, response) => {
    const { app, session } = await authenticate(runtime, request, response)
    const address = request.params.address
    await unlinkWallet(runtime, { app, userId: session.userId, sessionId: session.id, address })
    sendNothing(response)
  })
  router.all('/v1/me/wallets/:address', methodNotAllowed('DELETE'))

  router.get('/v1/me/wallets/:address/balance', async (request, response) => {
    const { app, session } = await authenticate(runtime, request, response)
    const wallet = await getWallet(runtime, app, session.userId, request.params.address)
    const balance = readBalance(runtime, wallet, app.settings.ton.jettons)
    sendJson(response, await withLastKnown(balance, (known) => publicBalance(wallet, known, runtime.now())))
  })
  router.all('/v1/me/wallets/:address/balance', methodNotAllowed('GET'))

  router.get('/v1/me/wallets/:address/transactions', async (request, response) => {
    const { app, session } = await authenticate(runtime, request, response)
    const { limit, cursor } = parse(historyInput, request.query)
    const wallet = await getWallet(runtime, app, session.userId, request.params.address)
    const ask = { before: readPosition(cursor), limit, vouched: app.settings.ton.jettons }
    const history = readHistory(runtime, wallet, ask)
    sendJson(response, await withLastKnown(history, (known) => publicHistory(wallet, known, runtime.now())))
  })
  router.all('/v1/me/wallets/:address/transactions', methodNotAllowed('GET'))
  return router
}
