import type { Logger } from 'pino'
import type { AppCache } from './app/app.ts'
import type { Config } from './config.ts'
import type { Database } from './db/database.ts'
import type { Limits } from './http/limits.ts'
import type { Outbound } from './http/outbound/outbound.ts'
import type { Vault } from './secret/vault.ts'
import type { Activity } from './session/activity.ts'
import type { SigningKeys } from './token/keys.ts'
import type { VerifiedTokens } from './token/verified.ts'

/** Everything that touches the world, and what is remembered between calls. A test passes another clock, another database. */
export type Runtime = {
  config: Config
  db: Database
  /** The only clock. */
  now: () => Date
  /** The only way out; guarded. */
  outbound: Outbound
  log: Logger
  vault: Vault
  apps: AppCache
  keys: SigningKeys
  verified: VerifiedTokens
  activity: Activity
  limits: Limits
  /** Set when the process is asked to stop, so that load balancers send nothing new. */
  stopping: boolean
}
