import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { recordEvent } from '#server/event/record.ts'
import { addIdentity } from '#server/identity/addIdentity.ts'
import { findUser } from '#server/identity/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { proveWallet, type WalletProof } from '#server/ton/prove.ts'
import { getWallet, type Wallet } from './wallet.ts'

/**
 * Links the wallet whose owner signed a nonce to a person, who may sign in with it from now on. One that is linked already stays as it is.
 * @throws AppError conflict when another account has it, and as `proveWallet`
 */
export async function linkWallet(
  runtime: Runtime,
  input: { app: App; userId: number; proof: WalletProof },
): Promise<{ wallet: Wallet; isNew: boolean }> {
  const { app, userId } = input
  const { proof, consume } = await proveWallet(runtime, app, input.proof)
  await runtime.limits.account(app, `ton ${proof.subject}`)
  const now = runtime.now()
  const { isNew } = await runtime.db.transaction(async (tx) => {
    await consume(tx, now)
    if (!(await findUser(tx, userId))) throw new AppError('not_found', 'There is no such user')
    const added = await addIdentity(runtime, tx, { app, userId, proof, now })
    if (added.isNew) {
      const content = {
        userId: runtime.vault.ids.seal('usr', userId),
        address: proof.subject,
        linkedAt: now.toISOString(),
      }
      await recordEvent(runtime, tx, { app, type: 'wallet.linked', userId, content })
    }
    return added
  })
  return { wallet: await getWallet(runtime, app, userId, proof.subject), isNew }
}
