import type { RequestListener, ServerResponse } from 'node:http'
import { createLocalChain, type LocalChain } from '../../server/demo/localChain.ts'
import { toncenter } from '../../server/demo/toncenter.ts'
import type { App } from '../../server/app/app.ts'
import { listen } from './listen.ts'
import { call, startServer, type TestServer } from './server.ts'
import { signInWithWallet } from './tonLogin.ts'
import { newWallet, type TestWallet, type Version } from './wallet.ts'

/** What stands between Gatehouse and its API: counts, and answers in its stead where a test says so. */
export type Upstream = {
  url: string
  asked: string[]
  keys: unknown[]
  /** Answers instead of the API while it is set. */
  instead: ((response: ServerResponse, path: string) => void) | undefined
  /** Answers wait for this while it is set. */
  hold: Promise<void> | undefined
}

export async function upstream(api: RequestListener, version: 'v2' | 'v3' = 'v3'): Promise<Upstream> {
  const state: Upstream = { url: '', asked: [], keys: [], instead: undefined, hold: undefined }
  const url = await listen((request, response) => {
    state.asked.push(request.url!)
    state.keys.push(request.headers['x-api-key'])
    void (state.hold ?? Promise.resolve()).then(() =>
      state.instead ? state.instead(response, request.url!) : void api(request, response),
    )
  })
  state.url = `${url}/api/${version}`
  return state
}

export type ChainWorld = {
  server: TestServer
  app: App
  chain: LocalChain
  api: Upstream
  wallet: TestWallet & { version: string }
  token: string
}

/** A server over a local chain, and a person signed in with a wallet. */
export async function chainWorld(
  version: 'v2' | 'v3' = 'v3',
  contract: Version = 'V4R2',
  env: Record<string, string> = {},
): Promise<ChainWorld> {
  const clock = { now: () => new Date('2026-06-01T12:00:00Z') }
  const chain = await createLocalChain(() => clock.now())
  const api = await upstream(toncenter(chain), version)
  const server = await startServer({ env: { TON_API_URL: api.url, TON_API_KEY: 'the-ton-api-key', ...env } })
  clock.now = () => server.clock.now
  const app = await server.createApp({ slug: 'quest' })
  const wallet = { ...newWallet(contract), version: contract }
  const token = (await signInWithWallet(server, app, wallet)).body['accessToken'] as string
  return { server, app, chain, api, wallet, token }
}

export const balanceOf = ({ server, wallet, token }: ChainWorld) =>
  call(server, 'GET', `/v1/me/wallets/${wallet.address}/balance`, { token })

export const historyOf = ({ server, wallet, token }: ChainWorld, query = '') =>
  call(server, 'GET', `/v1/me/wallets/${wallet.address}/transactions${query}`, { token })
