import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { bindIdentity, lockIdentity, subjectHash } from './findOrCreate.ts'
import type { Proof } from './proof.ts'
import { findIdentity, listIdentities } from './store.ts'

/** More ways to sign in than this nobody has; a script would. */
const MOST_IDENTITIES = 50

/**
 * Binds one more proof to a person, who can sign in with it from now on. A proof that is theirs already stays as it is.
 * @throws AppError conflict when somebody else has it (it is never moved), or when the person has too many
 */
export async function addIdentity(
  runtime: Runtime,
  tx: Transaction,
  input: { app: App; userId: number; proof: Proof; now: Date },
): Promise<{ identityId: number; isNew: boolean }> {
  const { app, userId, proof, now } = input
  const { vault } = runtime
  const key = { appId: app.id, kind: proof.kind, subjectHash: subjectHash(vault, proof.kind, proof.subject) }
  await lockIdentity(tx, key)
  const known = await findIdentity(tx, key)
  if (known?.userId === userId) return { identityId: known.id, isNew: false }
  if (known)
    throw new AppError(
      'conflict',
      'This belongs to another account of this app. To make the two accounts one, prove the other account’s e-mail address with POST /v1/me/link',
      { details: { reason: 'owned_by_another_account', link: '/v1/me/link' } },
    )
  await tx.lock(`identities of user ${userId}`)
  if ((await listIdentities(tx, userId)).length >= MOST_IDENTITIES)
    throw new AppError('conflict', `An account holds at most ${MOST_IDENTITIES} ways to sign in; remove one first`)
  return { identityId: await bindIdentity(runtime, tx, { ...key, userId }, proof, now), isNew: true }
}
