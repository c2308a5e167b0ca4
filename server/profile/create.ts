import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { ownAddress, profileNotOwned } from './owner.ts'
import { handleKey, openProfile, sealData, type NewProfile, type Profile } from './profile.ts'
import { insertProfile } from './store.ts'

/**
 * Makes a profile for the address that the token speaks for.
 * @throws AppError profile_not_owned, conflict when the handle is taken
 */
export async function createProfile(runtime: Runtime, access: Access, input: NewProfile): Promise<Profile> {
  const { handle, address } = input
  if ((await ownAddress(runtime, access)) !== address) throw profileNotOwned()
  const now = runtime.now()
  const row = await runtime.db.transaction(async (tx) =>
    insertProfile(tx, {
      appId: access.app.id,
      userId: access.session.userId,
      handle,
      handleKey: handleKey(handle),
      ownedBy: address,
      dataSealed: await sealData(runtime, tx, access.session.userId, {}),
      createdAt: now,
      updatedAt: now,
    }),
  )
  if (!row) throw new AppError('conflict', 'This handle is taken')
  return openProfile(runtime, runtime.db, row)
}
