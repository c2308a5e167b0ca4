import * as z from 'zod'
import { AppError } from '#server/error.ts'
import { findUser } from '#server/identity/store.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { personActor } from './act.ts'
import { contactOf, sealOwnEmail } from './contact.ts'
import { compare, judge } from './judge.ts'
import { hashSignature, newSignature, signatureText } from './secret.ts'
import { deleteCode, findSignature, saveSignature } from './store.ts'
import { tellByMail } from './tell.ts'

export const signatureChange = z.strictObject({ signature: newSignature, currentSignature: signatureText.optional() })

/**
 * Sets a person's signature, or changes it, which takes the current one and is told by mail. A reset that was under way is off.
 * @throws AppError invalid_request without the current one, signature_wrong, locked, conflict, not_found
 */
export async function setSignature(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  input: z.infer<typeof signatureChange>,
  origin: Origin,
): Promise<void> {
  const { vault } = runtime
  const current = await currentOf(runtime, userId, input.currentSignature)
  const secret = await hashSignature(vault, input.signature)
  const now = runtime.now()
  const refusal = await runtime.db.transaction(async (tx) => {
    await tx.lock(`signature of user ${userId}`)
    const before = await findSignature(tx, userId)
    const user = await findUser(tx, userId)
    if (!user) throw new AppError('not_found', 'There is no such user')
    if (before?.secret != null) {
      const wrong = await judge(tx, userId, current, now)
      if (wrong) return wrong
      await tellByMail(runtime, tx, 'signature_updated', {
        app,
        userId,
        to: await contactOf(runtime, tx, app, user, before),
        origin,
      })
    }
    await deleteCode(tx, userId)
    await saveSignature(tx, userId, {
      secret,
      changedAt: now,
      ...(before?.secret == null && { emailSealed: await sealOwnEmail(runtime, tx, user) }),
    })
    await recordAudit(tx, {
      at: now,
      actor: personActor(runtime, userId, origin),
      action: before?.secret == null ? 'signature.set' : 'signature.change',
      appId: app.id,
      target: { kind: 'user', id: userId },
    })
    return undefined
  })
  if (refusal) throw refusal
}

/** The signature that is set, compared with the one that was given as such; undefined while none is set. @throws AppError invalid_request without one */
export async function currentOf(runtime: Runtime, userId: number, given: string | undefined) {
  if (given !== undefined) return compare(runtime, userId, given)
  const row = await findSignature(runtime.db, userId)
  if (row?.secret == null) return undefined
  throw new AppError('invalid_request', 'A signature is set already: send it along as currentSignature', {
    errors: [{ path: 'currentSignature', message: 'is needed, because a signature is set' }],
  })
}
