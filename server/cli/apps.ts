import { Failure, print, printJson, readInput, withRuntime, type Output } from './context.ts'

export async function apply(options: Output & { file: string; dryRun?: boolean }): Promise<void> {
  const declared = await readDeclaration(options.file)
  const mode = options.dryRun ? 'read' : 'write'
  await withRuntime(mode, async (runtime) => {
    const [{ applyApps }, { cliActor }, { AppError }] = await Promise.all([
      import('../declare/apply.ts'),
      import('../operator/audit.ts'),
      import('../error.ts'),
    ])
    const { dryRun } = options
    try {
      const apps = await applyApps(runtime, cliActor, declared, { dryRun, env: process.env })
      const lines = apps.map(({ slug, result, changed }) =>
        [result.padEnd(9), changed.length > 0 ? `${slug}: ${changed.join(', ')}` : slug].join('  '),
      )
      if (lines.length === 0) lines.push('The file declares no app')
      if (dryRun) lines.push('Nothing was written (--dry-run)')
      print(options, { dryRun: dryRun ?? false, apps }, lines)
    } catch (error) {
      if (options.json || !(error instanceof AppError) || !error.errors) throw error
      // A file may hold many faults: one line each.
      const faults = error.errors.map(({ path, message }) => `  ${path}: ${message}`)
      throw new Failure([`${options.file}: ${error.message}`, ...faults].join('\n'))
    }
  })
}

async function readDeclaration(file: string): Promise<unknown> {
  const { parseDocument } = await import('yaml')
  // JSON is YAML too.
  const document = parseDocument(readInput(file), { prettyErrors: true })
  const [fault] = document.errors
  if (fault) throw new Failure(`${file}: ${fault.message.split('\n')[0]?.replace(/:$/, '')}`)
  let declared: unknown
  try {
    declared = document.toJS({ maxAliasCount: 100 })
    // An alias may stand within what it names.
    JSON.stringify(declared)
  } catch {
    throw new Failure(`${file}: its aliases (*name) refer to each other without an end, or to too much`)
  }
  return declared
}

export async function exportAll(output: Output): Promise<void> {
  await withRuntime('read', async (runtime) => {
    const { exportApps } = await import('../declare/export.ts')
    const { apps, secrets } = await exportApps(runtime)
    if (output.json) {
      printJson({ apps })
      return
    }
    const { Document } = await import('yaml')
    const document = new Document({ apps })
    document.commentBefore = [
      ' Apply with: gatehouse apply -f FILE. What is left out stays as it is.',
      ...(secrets.length > 0 ? [' Secrets are not in this file; elsewhere give them as {env: NAME}:'] : []),
      ...secrets.map(({ slug, path }) => `   ${slug}: ${path}`),
    ].join('\n')
    process.stdout.write(document.toString({ lineWidth: 0 }))
  })
}
