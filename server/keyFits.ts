import { existsSync, statSync } from 'node:fs'
import { ConfigError, type Config } from './config.ts'
import { openDatabase, sqliteFile } from './db/open.ts'
import { AppError } from './error.ts'
import { describeFault } from './fault.ts'
import type { Runtime } from './runtime.ts'
import { hasSecretKey } from './secret/secretKey.ts'
import { listKeys } from './token/store.ts'

/** A lost key file must not be replaced by a new key under which nothing in the database can be read. */
export async function assertKeyKept(config: Config): Promise<void> {
  if (hasSecretKey(config)) return
  const db = openDatabase(config.databaseUrl)
  try {
    if ((await listKeys(db)).length === 0) return
  } finally {
    await db.close()
  }
  // Another first start may have come between: it makes the file before it writes into the database.
  if (hasSecretKey(config)) return
  throw new ConfigError(
    `GATEHOUSE_SECRET_KEY is not set and ${config.dataDir}/secret.key is gone, but this database was written under a key; put the file back`,
  )
}

/** An SQLite file has a header of so many bytes from the first thing that is done with it. */
const HEADER_BYTES = 100

/**
 * A database file that lost its content is, to SQLite, a new one: everybody would be unknown and the first to come would be made the owner. The key
 * beside it, which is made after the database, tells that it is not.
 */
export function assertDatabaseKept(config: Config): void {
  if (/^postgres(ql)?:/.test(config.databaseUrl) || config.secretKey || !hasSecretKey(config)) return
  const file = sqliteFile(config.databaseUrl)
  if (!existsSync(file) || statSync(file).size >= HEADER_BYTES) return
  throw new AppError(
    'conflict',
    `${file} is empty, but ${config.dataDir}/secret.key says that it was not; restore a backup (gatehouse restore FILE), or remove the empty file to begin anew`,
  )
}

/** Whether the secret key opens what the database holds; a database that is new gets its first signing keys. */
export async function assertKeyFits(runtime: Runtime): Promise<void> {
  try {
    await runtime.keys.active()
  } catch (error) {
    if (describeFault(error) !== undefined) throw error
    throw new ConfigError(
      `GATEHOUSE_SECRET_KEY (or ${runtime.config.dataDir}/secret.key) is not the key under which this database was written; use that one`,
    )
  }
}
