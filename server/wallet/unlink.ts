import type { App } from '#server/app/app.ts'
import { recordEvent } from '#server/event/record.ts'
import { removeIdentity } from '#server/identity/removeIdentity.ts'
import type { Runtime } from '#server/runtime.ts'
import { endIdentitySessions } from '#server/session/revoke.ts'
import { getWallet } from './wallet.ts'

/**
 * Takes a wallet from a person. Sessions that its signature opened end, for whoever holds its key must not stay signed in; the one that
 * asks goes on, but speaks for the wallet no more.
 * @param address in any spelling
 * @throws AppError invalid_request, not_found, conflict when it is the only way to sign in
 */
export async function unlinkWallet(
  runtime: Runtime,
  input: { app: App; userId: number; sessionId: number; address: string },
): Promise<void> {
  const { app, userId, sessionId } = input
  const wallet = await getWallet(runtime, app, userId, input.address)
  const at = runtime.now()
  await runtime.db.transaction(async (tx) => {
    await removeIdentity(tx, userId, wallet.id)
    const content = {
      userId: runtime.vault.ids.seal('usr', userId),
      address: wallet.address,
      unlinkedAt: at.toISOString(),
    }
    await recordEvent(runtime, tx, { app, type: 'wallet.unlinked', userId, content })
    await endIdentitySessions(
      runtime,
      tx,
      { userId, identityId: wallet.id, except: sessionId },
      { reason: 'logout', at },
    )
  })
}
