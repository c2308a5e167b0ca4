import * as z from 'zod'
import type { Reader } from '#server/db/database.ts'
import { openPersonal, sealFor, type Keeper } from '#server/personal/seal.ts'
import type { ProfileRow } from './store.ts'

/** Seen by everybody, so no line break or other control character may hide in it. */
const line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^\P{Cc}*$/u, { message: 'must be one line without control characters' })

const text = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\P{Cc}\n\r\t]*$/u, { message: 'must not hold control characters' })

const picture = z
  .string()
  .max(2000)
  .refine((url) => url === '' || isHttps(url), { message: 'must be an https URL' })

/** What a profile tells besides its handle; each field may be left out. */
const profileData = z
  .strictObject({
    name: line(255),
    bio: text(2000),
    location: line(255),
    twitter: line(255),
    coverPicture: picture,
    profilePicture: picture,
    statusEmoji: line(64),
    statusText: line(255),
  })
  .partial()

export type ProfileData = z.infer<typeof profileData>

/** `address` as `parseAddress` gives it. */
export const newProfile = z.strictObject({
  handle: z.string().regex(/^[A-Za-z0-9_-]{4,255}$/, { message: 'must be 4 to 255 of A-Z, a-z, 0-9, _ and -' }),
  address: z.string().max(80),
})
export type NewProfile = z.infer<typeof newProfile>

/** A field that is left out stays as it is; an empty one is removed. */
export const profileChange = z.strictObject({ profileId: z.string().max(64), data: profileData })
export type ProfileChange = z.infer<typeof profileChange>

/** A profile as everybody may see it. `profileId` is the name that Nabi has for `id`. */
export type Profile = { id: string; profileId: string; handle: string; ownedBy: string } & ProfileData

export async function openProfile(keeper: Keeper, db: Reader, row: ProfileRow): Promise<Profile> {
  const id = keeper.vault.ids.seal('pro', row.id)
  return {
    ...(await openData(keeper, db, row.dataSealed)),
    id,
    profileId: id,
    handle: row.handle,
    ownedBy: row.ownedBy,
  }
}

export const sealData = (keeper: Keeper, db: Reader, userId: number, data: ProfileData): Promise<Buffer> =>
  sealFor(keeper, db, userId, JSON.stringify(data), 'profiles.data')

export const openData = async (keeper: Keeper, db: Reader, sealed: Buffer): Promise<ProfileData> =>
  JSON.parse(await openPersonal(keeper, db, sealed, 'profiles.data')) as ProfileData

/** Handles that differ in case only are the same. */
export const handleKey = (handle: string): string => handle.toLowerCase()

function isHttps(url: string): boolean {
  if (!URL.canParse(url) || /\s/.test(url)) return false
  const { protocol, username, password } = new URL(url)
  return protocol === 'https:' && !username && !password
}
