import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { deleteIdentity, listIdentities } from './store.ts'

/**
 * Takes a proof from a person. The last one stays, for without any nobody could ever sign in to the account again.
 * @throws AppError not_found, conflict
 */
export async function removeIdentity(tx: Transaction, userId: number, identityId: number): Promise<void> {
  // Two removals at once must not take the last two.
  await tx.lock(`identities of user ${userId}`)
  const rows = await listIdentities(tx, userId)
  if (!rows.some((row) => row.id === identityId)) throw new AppError('not_found', 'You have no such wallet')
  if (rows.length === 1)
    throw new AppError(
      'conflict',
      'This is the only way to sign in to your account; link another before you remove it, or erase the account',
      { details: { reason: 'last_identity' } },
    )
  await deleteIdentity(tx, identityId)
}
