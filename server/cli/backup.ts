import { print, readConfig, type Output } from './context.ts'

export async function backup(file: string, output: Output): Promise<void> {
  const { databaseUrl } = readConfig()
  const { backupDatabase } = await import('../db/backup.ts')
  const { sha256 } = await backupDatabase(databaseUrl, file)
  print(output, { file, sha256 }, [
    `Wrote ${file}, integrity checked, sha256 ${sha256}`,
    'It does not hold the secret key; without the same key it cannot be read, so keep a copy of that apart from it.',
  ])
}

export async function restore(file: string, output: Output): Promise<void> {
  const config = readConfig()
  const [{ restoreDatabase }, { reviveNothing }] = await Promise.all([
    import('../db/backup.ts'),
    import('../operator/restore.ts'),
  ])
  const { createRuntime, closeRuntime } = await import('../createRuntime.ts')
  const { assertKeyFits, assertKeyKept } = await import('../keyFits.ts')
  let sessions = 0
  const kept = await restoreDatabase(config.databaseUrl, file, new Date(), async (databaseUrl) => {
    await assertKeyKept({ ...config, databaseUrl })
    const runtime = createRuntime({ ...config, databaseUrl, logLevel: 'silent' })
    try {
      await assertKeyFits(runtime)
      sessions = await reviveNothing(runtime)
    } finally {
      await closeRuntime(runtime)
    }
  })
  print(output, { restored: file, previous: kept ?? null, sessionsEnded: sessions }, [
    `Restored ${file}`,
    ...(kept ? [`The database that was there is now ${kept}`] : []),
    `Ended ${sessions} session(s) of users and all sign-ins of operators, so that nothing revoked since the backup lives again.`,
    'API keys, operators and their API tokens are as they were in the backup: remove again what was removed since.',
  ])
}
