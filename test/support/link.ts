import { answersSettled } from '../../server/http/afterAnswer.ts'
import { call, type Answer, type TestServer } from './server.ts'
import { signNonce, type TestWallet } from './wallet.ts'

/** Asks for the account with an address, and waits until everything that follows the answer is done. */
export async function askLink(server: TestServer, token: string, email: string): Promise<Answer> {
  const answer = await call(server, 'POST', '/v1/me/link', { token, body: { email } })
  await answersSettled(server.runtime)
  return answer
}

export const confirmLink = (server: TestServer, token: string, body: unknown): Promise<Answer> =>
  call(server, 'POST', '/v1/me/link/confirm', { token, body })

/** Signs in with a wallet through the public API. */
export async function signInWithWallet(server: TestServer, app: { slug: string }, wallet: TestWallet): Promise<Answer> {
  const nonce = await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: {} })
  const { id, nonce: text } = nonce.body as { id: string; nonce: string }
  return call(server, 'POST', `/v1/apps/${app.slug}/ton/login`, {
    body: { id, address: wallet.address, signedMessage: signNonce(wallet, text), stateInit: wallet.stateInit },
  })
}
