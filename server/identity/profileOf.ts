import { markIn } from '#server/db/bytes.ts'
import type { Reader } from '#server/db/database.ts'
import { openOnce, openWithKey, type Keeper } from '#server/personal/seal.ts'
import type { Profile } from './proof.ts'
import { findSealedProfile } from './store.ts'

/** A user's profile as a row that holds its mark tells of it; it is read and opened only when that was not done lately. */
export async function profileOf(
  keeper: Keeper,
  db: Reader,
  { userId, profileMark }: { userId: number; profileMark: string | null },
): Promise<Profile> {
  if (!profileMark) return {}
  // Changed between the two reads: then this mark is found no more.
  return openOnce(keeper, nameOf(userId, profileMark), async () => {
    const { sealed, key } = (await findSealedProfile(db, userId)) ?? { sealed: null, key: null }
    return sealed ? (JSON.parse(await openWithKey(keeper, db, { sealed, key }, 'users.profile')) as Profile) : {}
  })
}

/** Remembers a profile that is just being sealed, so that it need not be opened for the calls that follow. */
export function rememberProfile(
  { personalKeys }: Keeper,
  userId: number,
  sealed: Buffer | null,
  profile: Profile,
): void {
  // Should its transaction fail, nobody comes upon this mark again.
  if (sealed) personalKeys.opened.add(nameOf(userId, markIn(sealed)), profile)
}

const nameOf = (userId: number, mark: string) => `${userId} ${mark}`
