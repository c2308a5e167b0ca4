import type { Output } from './context.ts'
import { print, readConfig } from './context.ts'

export async function serve(output: Output): Promise<void> {
  const config = readConfig()
  const { runGatehouse } = await import('../main.ts')
  await runGatehouse(config, ({ consoleUrl, setupUrl }) => {
    print(output, { console: consoleUrl, setup: setupUrl }, [
      `Gatehouse is ready: ${consoleUrl}`,
      ...(setupUrl ? [`Make the first operator (this link works once): ${setupUrl}`] : []),
    ])
  })
}

export async function migrate(output: Output): Promise<void> {
  const config = readConfig()
  const [{ migrate: bringUp }, { assertDatabaseKept }] = await Promise.all([
    import('../db/migrate.ts'),
    import('../keyFits.ts'),
  ])
  assertDatabaseKept(config)
  const applied = await bringUp(config.databaseUrl)
  print(output, { applied }, applied === 0 ? 'The database is up to date' : `Applied ${applied} migration(s)`)
}
