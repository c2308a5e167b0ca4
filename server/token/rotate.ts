import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'

/**
 * Makes the published next key the signing one. Tokens signed by the one before stay good until they expire. With `forced`, why it has to be at once although
 * verifiers may not know the next key.
 * @throws AppError conflict while verifiers may not know the next key
 */
export async function rotateKeys(
  runtime: Runtime,
  actor: Actor,
  forced?: string,
): Promise<{ active: string; retired: string | undefined }> {
  // Looking makes the first keys where there are none yet.
  await runtime.keys.active()
  const rotated = await runtime.db.transaction(async (tx) => {
    const rotated = await runtime.keys.rotate(tx, forced !== undefined)
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'key.rotate',
      before: { active: rotated.retired ?? null },
      after: { active: rotated.active, ...(forced !== undefined && { forced }) },
    })
    return rotated
  })
  await runtime.keys.reload()
  return rotated
}
