import { call, type Answer, type TestServer } from './server.ts'
import { account, signNonce, tonProof, type TestWallet } from './wallet.ts'

type App = { slug: string }

export async function askNonce(server: TestServer, app: App): Promise<{ id: string; nonce: string }> {
  return (await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })).body as {
    id: string
    nonce: string
  }
}

/** What a wallet sends that signs a fresh nonce as it is. */
export async function nonceProof(server: TestServer, app: App, wallet: TestWallet) {
  const { id, nonce } = await askNonce(server, app)
  return { id, address: wallet.address, signedMessage: signNonce(wallet, nonce), stateInit: wallet.stateInit }
}

/** What an app gets from TON Connect for a fresh nonce. */
export async function connectProof(server: TestServer, app: App, wallet: TestWallet) {
  const { id, nonce } = await askNonce(server, app)
  return { id, account: account(wallet), proof: tonProof(wallet, nonce, server.clock.now) }
}

export async function signInWithWallet(server: TestServer, app: App, wallet: TestWallet): Promise<Answer> {
  return call(server, 'POST', `/v1/apps/${app.slug}/ton/login`, { body: await nonceProof(server, app, wallet) })
}
