import * as z from 'zod'
import { AppError } from '#server/error.ts'
import { findUser } from '#server/identity/store.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { personActor } from './act.ts'
import { sealOwnEmail } from './contact.ts'
import { compare, judge, notSet } from './judge.ts'
import { signatureText } from './secret.ts'
import { deleteCode, saveSignature } from './store.ts'

export const signatureCheck = z.strictObject({
  signature: signatureText,
  /** From now on mails about the signature go to the address in the profile, though no login vouches for it. */
  useEmail: z.boolean().default(false),
})

/** Whether a signature is the person's. @throws AppError signature_wrong, locked, conflict when none is set */
export async function verifySignature(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  input: z.infer<typeof signatureCheck>,
  origin: Origin,
): Promise<void> {
  const compared = await compare(runtime, userId, input.signature)
  if (!compared) throw notSet()
  const now = runtime.now()
  const refusal = await runtime.db.transaction(async (tx) => {
    const wrong = await judge(tx, userId, compared, now)
    if (wrong || !input.useEmail) return wrong
    const user = await findUser(tx, userId)
    if (!user) throw new AppError('not_found', 'There is no such user')
    // A code under way may have gone to the address before.
    await deleteCode(tx, userId)
    await saveSignature(tx, userId, { emailSealed: await sealOwnEmail(runtime, tx, user) })
    await recordAudit(tx, {
      at: now,
      actor: personActor(runtime, userId, origin),
      action: 'signature.use_email',
      appId: app.id,
      target: { kind: 'user', id: userId },
    })
    return undefined
  })
  if (refusal) throw refusal
}
