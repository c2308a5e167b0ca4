import { parseAddress } from '#server/ton/address.ts'
import type { Runtime } from '#server/runtime.ts'
import { emailHash, subjectHash, usernameHash } from './findOrCreate.ts'
import { findUsersByHashes } from './searchStore.ts'

export type Found = { sessionId?: number | undefined; userIds: number[] }

/**
 * Whom a search text means: a pasted id, a wallet's address, a Telegram id or @username, an e-mail address, an SSO subject. What is
 * encrypted can only be found whole.
 */
export async function resolveSearch(runtime: Runtime, text: string): Promise<Found> {
  const { vault, db } = runtime
  const q = text.trim()
  const sessionId = vault.ids.parse('ses', q)
  if (sessionId !== undefined) return { sessionId, userIds: [] }
  const userId = vault.ids.parse('usr', q)
  if (userId !== undefined) return { userIds: [userId] }
  const wallet = rawAddress(q)
  const subjects = [
    subjectHash(vault, 'sso', q),
    ...(/^\d{1,16}$/.test(q) ? [subjectHash(vault, 'telegram', q)] : []),
    ...(wallet ? [subjectHash(vault, 'ton', wallet)] : []),
  ]
  const userIds = await findUsersByHashes(db, {
    subjects,
    username: usernameHash(vault, q),
    email: emailHash(vault, q),
  })
  return { userIds }
}

function rawAddress(text: string): string | undefined {
  try {
    return parseAddress(text)
  } catch {
    // Not an address: it is something else that is searched for.
    return undefined
  }
}
