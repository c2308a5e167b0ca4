import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { subjectHash } from './findOrCreate.ts'
import type { Proof } from './proof.ts'
import { findIdentity, type FoundIdentity } from './store.ts'

/** Who has shown this subject to this app before, if anybody. */
export function findIdentityOf(
  runtime: Runtime,
  app: App,
  kind: Proof['kind'],
  subject: string,
): Promise<FoundIdentity | undefined> {
  return findIdentity(runtime.db, { appId: app.id, kind, subjectHash: subjectHash(runtime.vault, kind, subject) })
}
