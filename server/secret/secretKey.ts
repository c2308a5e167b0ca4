import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, type Config } from '#server/config.ts'
import { makeFolder } from '#server/folder.ts'

/**
 * The 32-byte key under which everything secret is encrypted: from the configuration, else from the data directory, where the first
 * start makes one (mode 0600). Two first starts at once agree on one key.
 */
export function secretKey(config: Pick<Config, 'secretKey' | 'dataDir'>): Buffer {
  if (config.secretKey) return config.secretKey
  const file = join(config.dataDir, 'secret.key')
  makeFolder(config.dataDir)
  const fresh = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const existing = read(file)
  if (existing) return existing
  writeFileSync(fresh, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  chmodSync(fresh, 0o600)
  try {
    // A link either makes the whole file appear or fails because another process was first.
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(fresh)
  }
  return read(file)!
}

/** Whether there is a key already, so that `secretKey` would not make one. */
export function hasSecretKey(config: Pick<Config, 'secretKey' | 'dataDir'>): boolean {
  return config.secretKey !== undefined || existsSync(join(config.dataDir, 'secret.key'))
}

function read(file: string): Buffer | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ConfigError(`GATEHOUSE_SECRET_KEY is not set and ${file} cannot be read; check the file's owner and mode`)
  }
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) {
    throw new ConfigError(
      `GATEHOUSE_SECRET_KEY is not set and ${file} does not hold 32 bytes in base64; restore it from a backup`,
    )
  }
  return key
}
