import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { ownAddress, profileNotOwned } from './owner.ts'
import { openData, openProfile, sealData, type Profile, type ProfileChange, type ProfileData } from './profile.ts'
import { findProfileRow, updateData } from './store.ts'

/**
 * Sets the fields that are given and removes those given empty.
 * @throws AppError not_found, profile_not_owned
 */
export async function updateProfile(runtime: Runtime, access: Access, input: ProfileChange): Promise<Profile> {
  const { vault } = runtime
  const id = vault.ids.parse('pro', input.profileId)
  if (id === undefined) throw notFound()
  const address = await ownAddress(runtime, access)
  const now = runtime.now()
  return runtime.db.transaction(async (tx) => {
    // Two changes at once must not lose each other's fields, which lie in one sealed value.
    await tx.lock(`profile ${id}`)
    const row = await findProfileRow(tx, id)
    if (!row || row.appId !== access.app.id) throw notFound()
    if (row.ownedBy !== address) throw profileNotOwned()
    const dataSealed = await sealData(
      runtime,
      tx,
      row.userId,
      merge(await openData(runtime, tx, row.dataSealed), input.data),
    )
    await updateData(tx, id, dataSealed, now)
    return openProfile(runtime, tx, { ...row, dataSealed })
  })
}

function merge(data: ProfileData, change: ProfileData): ProfileData {
  return Object.fromEntries(Object.entries({ ...data, ...change }).filter(([, value]) => value))
}

const notFound = () => new AppError('not_found', 'There is no such profile')
