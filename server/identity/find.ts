import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { subjectHash } from './findOrCreate.ts'
import type { Proof } from './proof.ts'
import { findIdentity, type FoundIdentity } from './store.ts'

/** An identity with the key by which it is found again. */
export type KnownIdentity = FoundIdentity & { subjectHash: Buffer }

/** Who has shown this subject to this app before, if anybody. */
export async function findIdentityOf(
  runtime: Runtime,
  app: App,
  kind: Proof['kind'],
  subject: string,
): Promise<KnownIdentity | undefined> {
  const key = { appId: app.id, kind, subjectHash: subjectHash(runtime.vault, kind, subject) }
  const found = await findIdentity(runtime.db, key)
  return found && { ...found, subjectHash: key.subjectHash }
}
