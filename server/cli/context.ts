import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError, loadConfig, type Config } from '../config.ts'
import { folderFault } from '../folder.ts'
import type { Runtime } from '../runtime.ts'

export type Output = { json?: boolean | undefined }

/** The settings, known to everything that is loaded after this: the tables take their dialect from DATABASE_URL (db/dialect.ts). */
export function readConfig(): Config {
  const config = loadConfig(process.env)
  assertFolders(config, process.env['DATABASE_URL'])
  process.env['DATABASE_URL'] = config.databaseUrl
  return config
}

/** @throws ConfigError when what the settings name cannot hold the files that are kept there */
function assertFolders({ dataDir, secretKey, databaseUrl }: Config, givenUrl: string | undefined): void {
  const check = (name: string, folder: string, example: string) => {
    const fault = folderFault(folder)
    if (fault) throw new ConfigError(`${name} ${fault}; for example ${name}=${example}`)
  }
  if (!secretKey || !givenUrl) check('GATEHOUSE_DATA_DIR', dataDir, './data')
  const file = /^file:(?:\/\/(?=\/))?(.+)$/.exec(databaseUrl)?.[1]
  if (!file || !givenUrl) return
  check('DATABASE_URL', dirname(file), 'file:./data/gatehouse.db')
  if (existsSync(file) && statSync(file).isDirectory())
    throw new ConfigError(
      `DATABASE_URL names ${file}, which is a folder; for example DATABASE_URL=file:./data/gatehouse.db`,
    )
}

/**
 * Works on the database that the settings name, beside servers that may run. What writes brings the schema up to date first, as a start
 * does; what only reads changes nothing and asks for it.
 */
export async function withRuntime<T>(mode: 'read' | 'write', work: (runtime: Runtime) => Promise<T>): Promise<T> {
  const config = readConfig()
  const [
    { createRuntime, closeRuntime },
    { migrate, pendingMigrations },
    { assertDatabaseKept, assertKeyFits, assertKeyKept },
  ] = await Promise.all([import('../createRuntime.ts'), import('../db/migrate.ts'), import('../keyFits.ts')])
  assertDatabaseKept(config)
  if (mode === 'write') await migrate(config.databaseUrl)
  else if ((await pendingMigrations(config.databaseUrl)) > 0) {
    throw new Failure('The database is not set up for this version yet; run: gatehouse migrate')
  }
  await assertKeyKept(config)
  const runtime = createRuntime({ ...config, logLevel: 'silent' })
  try {
    await assertKeyFits(runtime)
    return await work(runtime)
  } finally {
    await closeRuntime(runtime)
  }
}

/** A refusal of the command line itself, in one line. */
export class Failure extends Error {}

/** Runs a command; what stops it becomes one line on stderr (with --json an object on stdout) and the exit code: 2 for a bad setting, else 1. */
export async function run(output: Output, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const line = await explain(error)
    process.exitCode = error instanceof ConfigError ? 2 : 1
    if (output.json) printJson({ error: line, ...codeOf(error) })
    else process.stderr.write(`gatehouse: ${line}\n`)
  }
}

async function explain(error: unknown): Promise<string> {
  if (error instanceof Failure || error instanceof ConfigError) return error.message
  const { describeFault } = await import('../fault.ts')
  const known = describeFault(error)
  if (known !== undefined) return known
  if (process.env['LOG_LEVEL'] === 'debug') process.stderr.write(`${(error as Error).stack ?? String(error)}\n`)
  return `${(error as Error).message ?? String(error)} (LOG_LEVEL=debug shows where)`
}

function codeOf(error: unknown): { code?: unknown; errors?: unknown } {
  const { code, errors } = error as { code?: unknown; errors?: unknown }
  return { ...(typeof code === 'string' && { code }), ...(Array.isArray(errors) && { errors: errors as unknown }) }
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** One result, for people or for programs. */
export function print(output: Output, value: unknown, lines: string | string[]): void {
  if (output.json) printJson(value)
  else process.stdout.write([lines].flat().join('\n') + '\n')
}

/** A secret from standard input, without the line break that ends it. @throws Failure when there is none */
export function readSecret(what: string): string {
  const text = readInput('-').replace(/\r?\n$/, '')
  if (text === '') throw new Failure(`${what} is expected on standard input, and there was none`)
  return text
}

/** The text of a file, `-` being standard input. @throws Failure */
export function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    if (file === '-') return ''
    throw new Failure(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
