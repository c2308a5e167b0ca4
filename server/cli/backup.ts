import { existsSync } from 'node:fs'
import type { Config } from '../config.ts'
import { print, readConfig, withRuntime, type Output } from './context.ts'

export async function backup(file: string, options: Output & { keys?: string }): Promise<void> {
  const { databaseUrl } = readConfig()
  const { backupDatabase } = await import('../db/backup.ts')
  if (options.keys !== undefined) await keyEverybody()
  const { sha256 } = await backupDatabase(databaseUrl, file, options.keys)
  print(options, { file, sha256, ...(options.keys !== undefined && { keys: options.keys }) }, [
    `Wrote ${file}, integrity checked, sha256 ${sha256}`,
    'It does not hold the secret key; without the same key it cannot be read, so keep a copy of that apart from it.',
    ...(options.keys === undefined
      ? []
      : [
          `People's own keys are in ${options.keys} alone, which serves this backup and all before it: keep only the newest, and whoever was erased by then is unreadable in all of them.`,
        ]),
  ])
}

/** What is personal must be under people's own keys before these can be kept apart. */
async function keyEverybody(): Promise<void> {
  await withRuntime('write', async (runtime) => {
    const { keyOldUsers } = await import('../personal/keyOldUsers.ts')
    while ((await keyOldUsers(runtime)) > 0);
  })
}

export async function restore(file: string, options: Output & { keys?: string }): Promise<void> {
  const config = readConfig()
  const [{ restoreDatabase }, { reviveNothing }] = await Promise.all([
    import('../db/backup.ts'),
    import('../operator/restore.ts'),
  ])
  const [{ createRuntime, closeRuntime }, { eraseAgain, eraseKeyless }, { cliActor }] = await Promise.all([
    import('../createRuntime.ts'),
    import('../identity/eraseAgain.ts'),
    import('../operator/audit.ts'),
  ])
  const { assertKeyFits, assertKeyKept } = await import('../keyFits.ts')
  let [sessions, erased] = [0, 0]
  await noteErased(config)
  const source = { backup: file, keysFile: options.keys, at: new Date() }
  const kept = await restoreDatabase(config.databaseUrl, source, async (databaseUrl, keyless) => {
    await assertKeyKept({ ...config, databaseUrl })
    const runtime = createRuntime({ ...config, databaseUrl, logLevel: 'silent' })
    try {
      await assertKeyFits(runtime)
      sessions = await reviveNothing(runtime)
      erased = (await eraseAgain(runtime, cliActor)) + (await eraseKeyless(runtime, cliActor, keyless))
    } finally {
      await closeRuntime(runtime)
    }
  })
  print(options, { restored: file, previous: kept ?? null, sessionsEnded: sessions, erasedAgain: erased }, [
    `Restored ${file}`,
    ...(kept ? [`The database that was there is now ${kept}`] : []),
    `Ended ${sessions} session(s) of users and all sign-ins of operators, so that nothing revoked since the backup lives again.`,
    ...(erased > 0
      ? [`Erased ${erased} person(s) again who were erased after the backup was made; their apps are told.`]
      : []),
    'API keys, operators and their API tokens are as they were in the backup: remove again what was removed since.',
  ])
}

/**
 * Writes down who was erased from the database that is about to be replaced, as far as it can still be read: the file beside it may be lost. A damaged
 * one is replaced all the same, and then the file alone says who it was.
 */
async function noteErased(config: Config): Promise<void> {
  const [{ sqliteFile }, { pendingMigrations }] = await Promise.all([
    import('../db/open.ts'),
    import('../db/migrate.ts'),
  ])
  if (/^postgres(ql)?:/.test(config.databaseUrl) || !existsSync(sqliteFile(config.databaseUrl))) return
  const [{ createRuntime, closeRuntime }, { joinLedger }] = await Promise.all([
    import('../createRuntime.ts'),
    import('../personal/ledger.ts'),
  ])
  const readable = await pendingMigrations(config.databaseUrl).then(
    (pending) => pending === 0,
    () => false,
  )
  if (!readable) return
  const runtime = createRuntime({ ...config, logLevel: 'silent' })
  try {
    await joinLedger(runtime)
  } finally {
    await closeRuntime(runtime)
  }
}
