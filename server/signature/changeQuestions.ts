import * as z from 'zod'
import { AppError } from '#server/error.ts'
import { findUser } from '#server/identity/store.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { personActor } from './act.ts'
import { contactOf } from './contact.ts'
import { judge } from './judge.ts'
import { hashAnswers, recoveryQuestions, sealQuestions } from './questions.ts'
import { signatureText } from './secret.ts'
import { currentOf } from './set.ts'
import { findSignature, saveSignature } from './store.ts'
import { tellByMail } from './tell.ts'

export const questionsChange = z.strictObject({
  questions: recoveryQuestions,
  currentSignature: signatureText.optional(),
})

/**
 * Sets the questions that a reset asks besides the mailed code. Takes the current signature where one is set, for whoever could put their own questions in
 * their place would have answered them.
 * @throws AppError invalid_request without the current signature, signature_wrong, locked, conflict, not_found
 */
export async function changeQuestions(
  runtime: Runtime,
  { app, session: { userId } }: Access,
  input: z.infer<typeof questionsChange>,
  origin: Origin,
): Promise<void> {
  const { vault } = runtime
  const current = await currentOf(runtime, userId, input.currentSignature)
  const answers = await hashAnswers(
    vault,
    input.questions.map(({ answer }) => answer),
  )
  const now = runtime.now()
  const refusal = await runtime.db.transaction(async (tx) => {
    await tx.lock(`signature of user ${userId}`)
    const before = await findSignature(tx, userId)
    const user = await findUser(tx, userId)
    if (!user) throw new AppError('not_found', 'There is no such user')
    const wrong = before?.secret == null ? undefined : await judge(tx, userId, current, now)
    if (wrong) return wrong
    await saveSignature(tx, userId, {
      questionsSealed: await sealQuestions(runtime, tx, userId, input.questions),
      answers,
      questionsAt: now,
    })
    await tellByMail(runtime, tx, 'recovery_questions_updated', {
      app,
      userId,
      to: await contactOf(runtime, tx, app, user, before),
      origin,
    })
    await recordAudit(tx, {
      at: now,
      actor: personActor(runtime, userId, origin),
      action: 'signature.questions',
      appId: app.id,
      target: { kind: 'user', id: userId },
      after: { questions: input.questions.length },
    })
    return undefined
  })
  if (refusal) throw refusal
}
