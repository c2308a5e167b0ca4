import { print, withRuntime, type Output } from './context.ts'

export async function rotate(output: Output): Promise<void> {
  await withRuntime('write', async (runtime) => {
    const [{ rotateKeys }, { cliActor }] = await Promise.all([
      import('../token/rotate.ts'),
      import('../operator/audit.ts'),
    ])
    const { active, retired } = await rotateKeys(runtime, cliActor)
    print(output, { active, retired: retired ?? null }, [
      `New tokens are signed by ${active}`,
      ...(retired ? [`${retired} verifies for another day`] : []),
    ])
  })
}
