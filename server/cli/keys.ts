import { print, withRuntime, type Output } from './context.ts'

export async function rotate({ reason, ...output }: Output & { reason?: string }): Promise<void> {
  await withRuntime('write', async (runtime) => {
    const [{ rotateKeys }, { cliActor }] = await Promise.all([
      import('../token/rotate.ts'),
      import('../operator/audit.ts'),
    ])
    const { active, retired, warning } = await rotateKeys(runtime, cliActor, reason)
    print(output, { active, retired: retired ?? null, warning: warning ?? null }, [
      `New tokens are signed by ${active}`,
      ...(retired ? [`${retired} verifies for another day`] : []),
      ...(warning ? [warning] : []),
    ])
  })
}
