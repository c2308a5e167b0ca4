import type { App } from '../../server/app/app.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { findByKey } from '../../server/app/app.ts'
import { changeEndpoint, createEndpoint } from '../../server/webhook/change.ts'
import type { EndpointPatch, NewEndpoint } from '../../server/webhook/settings.ts'
import { call, type TestServer } from './server.ts'

/** Lets the tests' servers call receivers on this machine. */
export const local = { GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' }

/** An endpoint of an app; its row and its secret. */
export async function newEndpoint(server: TestServer, app: App, url: string, input: Partial<NewEndpoint> = {}) {
  return createEndpoint(server.runtime, cliActor, await current(server, app), { url, ...input })
}

export async function patchEndpoint(server: TestServer, app: App, id: number, patch: EndpointPatch) {
  return changeEndpoint(server.runtime, cliActor, await current(server, app), id, patch)
}

const current = async (server: TestServer, app: App) => (await findByKey(server.runtime, app.slug))!

/** Records events as an app's server does. */
export function post(
  server: { url: string },
  app: { slug: string },
  key: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  return call(server, 'POST', `/v1/apps/${app.slug}/events`, { body, token: key, headers })
}

export const sent = {
  type: 'txn.sent',
  user: '987654321',
  content: {
    bip44: '1023',
    chainId: '1666600000',
    txnHash: '0x231...',
    symbol: 'ONE',
    amount: '0.45976983',
    walletAddress: '0xabc1...',
    otherWallet: '0xb0....55a7',
    to: 'Jack || 0xb0....55a7',
  },
}
