import { Failure, print, withRuntime, type Output } from './context.ts'

type Rotation = Output & { force?: boolean; reason?: string }

/** @throws Failure for what is forced without a reason, or the other way round */
export async function rotate({ force, reason, ...output }: Rotation): Promise<void> {
  if (Boolean(force) !== Boolean(reason?.trim())) throw new Failure('--force and --reason go together')
  await withRuntime('write', async (runtime) => {
    const [{ rotateKeys }, { cliActor }] = await Promise.all([
      import('../token/rotate.ts'),
      import('../operator/audit.ts'),
    ])
    const { active, retired } = await rotateKeys(runtime, cliActor, force ? reason : undefined)
    print(output, { active, retired: retired ?? null }, [
      `New tokens are signed by ${active}`,
      ...(retired ? [`${retired} verifies for another day`] : []),
    ])
  })
}
