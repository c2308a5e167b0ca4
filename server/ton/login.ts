import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { signIn, type Login } from '#server/session/signIn.ts'
import { proveWallet, type WalletProof } from './prove.ts'

/**
 * Signs a person in by their wallet's signature over a nonce, which is used up in the transaction that makes the session.
 * @throws AppError as `proveWallet`, and user_blocked, session_limit_reached
 */
export async function tonLogin(runtime: Runtime, app: App, input: WalletProof, origin: Origin): Promise<Login> {
  const { proof, consume } = await proveWallet(runtime, app, input)
  await runtime.limits.account(app, `ton ${proof.subject}`)
  return signIn(runtime, { app, origin, proof, consume })
}
