import { AppError } from '#server/error.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { findWallet } from './store.ts'

/**
 * The address that a token speaks for: the wallet whose signature opened its session. Other wallets of the same person
 * do not count ("Access and refresh tokens are NOT shareable", Nabi). Undefined for a session opened in another way.
 */
export async function ownAddress(runtime: Runtime, access: Access): Promise<string | undefined> {
  const sealed = await findWallet(runtime.db, access.session.identityId)
  return sealed && openPersonal(runtime, runtime.db, sealed, 'identities.subject')
}

export const profileNotOwned = () =>
  new AppError('profile_not_owned', 'This token serves only the profiles of the address that it was issued to')
