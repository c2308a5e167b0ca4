import { Router } from 'express'
import { methodNotAllowed, sendJson } from '#server/http/answer.ts'
import type { Runtime } from '#server/runtime.ts'
import { listPublicKeys } from './store.ts'

/**
 * The public halves of all endpoints' key pairs, so that a receiver needs no shared secret (v1a). Each endpoint has a pair of its own, named by
 * its id: a receiver must take the key of its own endpoint only, because what other apps are sent is signed with others.
 */
export function webhookRoutes(runtime: Runtime): Router {
  const router = Router()
  const path = '/.well-known/webhook-keys'
  router.get(path, async (_request, response) => {
    const rows = await listPublicKeys(runtime.db)
    response.setHeader('cache-control', 'public, max-age=300')
    response.setHeader('access-control-allow-origin', '*')
    sendJson(response, {
      keys: rows.map(({ id, publicKey }) => ({
        kty: 'OKP',
        crv: 'Ed25519',
        use: 'sig',
        alg: 'EdDSA',
        kid: runtime.vault.ids.seal('whe', id),
        x: Buffer.from(publicKey!, 'base64').toString('base64url'),
        whpk: `whpk_${publicKey!}`,
      })),
    })
  })
  router.all(path, methodNotAllowed('GET'))
  return router
}
