import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Rotated } from './keys.ts'

/**
 * Makes the published next key the signing one. Tokens signed by the one before stay good until they expire. That verifiers may not know the new one yet is no
 * reason to refuse, for who rotates twice at once has reasons of their own, and most look again for a key they do not know; it is said.
 * @param reason why, for the audit log
 */
export async function rotateKeys(
  runtime: Runtime,
  actor: Actor,
  reason?: string,
): Promise<Omit<Rotated, 'heardAt'> & { warning: string | undefined }> {
  // Looking makes the first keys where there are none yet.
  await runtime.keys.active()
  const { heardAt, ...rotated } = await runtime.db.transaction(async (tx) => {
    const rotated = await runtime.keys.rotate(tx)
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'key.rotate',
      before: { active: rotated.retired ?? null },
      after: { active: rotated.active, ...(reason !== undefined && { reason }) },
    })
    return rotated
  })
  await runtime.keys.reload()
  const warning =
    heardAt &&
    `Verifiers that keep the key set may not know this key before ${heardAt.toISOString()}, and refuse its tokens until they read the set again`
  return { ...rotated, warning }
}
