import type { Vault } from '#server/secret/vault.ts'
import type { Letter } from './compose.ts'
import type { Rendered } from './render.ts'

/** What a mail became. Once its code is over only the covered parts are left, in a letter that holds nothing else. */
export type Content = { letter: Letter; coveredParts: Rendered }

export const sealContent = (vault: Vault, content: Content): Buffer =>
  vault.seal(JSON.stringify(content), 'emails.content')

export const openContent = (vault: Vault, sealed: Buffer): Content =>
  JSON.parse(vault.open(sealed, 'emails.content')) as Content
