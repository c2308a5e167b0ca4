import type { Reader } from '#server/db/database.ts'
import { openPersonal, sealFor, type Keeper } from '#server/personal/seal.ts'
import type { Letter } from './compose.ts'
import type { Rendered } from './render.ts'

/** What a mail became. Once its code is over only the covered parts are left, in a letter that holds nothing else. */
export type Content = { letter: Letter; coveredParts: Rendered }

export const sealContent = (keeper: Keeper, db: Reader, userId: number | null, content: Content): Promise<Buffer> =>
  sealFor(keeper, db, userId, JSON.stringify(content), 'emails.content')

export const openContent = async (keeper: Keeper, db: Reader, sealed: Buffer): Promise<Content> =>
  JSON.parse(await openPersonal(keeper, db, sealed, 'emails.content')) as Content
