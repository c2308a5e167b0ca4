import type { Logger } from 'pino'
import type { AppCache } from './app/app.ts'
import type { Config } from './config.ts'
import type { Database, Transaction } from './db/database.ts'
import type { Mailer } from './email/mailer.ts'
import type { Outbox } from './delivery/outbox.ts'
import type { Limits } from './http/limits.ts'
import type { Outbound } from './http/outbound/outbound.ts'
import type { Remembered } from './secret/remembered.ts'
import type { Geo } from './origin/geo.ts'
import type { PersonalKeys } from './personal/keys.ts'
import type { Vault } from './secret/vault.ts'
import type { Activity } from './session/activity.ts'
import type { Figures } from './stats/figures.ts'
import type { SigningKeys } from './token/keys.ts'
import type { AccessClaims } from './token/accessClaims.ts'
import type { Traffic } from './traffic/watch.ts'

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
  /** People's own keys, as far as they were opened. */
  personalKeys: PersonalKeys
  /** Where addresses are. */
  geo: Geo
  apps: AppCache
  keys: SigningKeys
  /** JWTs whose signature was checked: it saves that and nothing else, `exp` is compared and the session looked up on every call. */
  verified: Remembered<AccessClaims>
  /** Opaque tokens and API keys whose secret was compared, and their row, which is looked up on every call. */
  proven: Remembered<number>
  activity: Activity
  limits: Limits
  figures: Figures
  traffic: Traffic
  /** Sends what is owed because of events. */
  outbox: Outbox
  /** Sends the mails that stand in the outbox. */
  mailer: Mailer
  /** Sends the mails again that some deliveries are; how many. Mails know of deliveries, and not the other way round. */
  resendMails(tx: Transaction, deliveryIds: number[]): Promise<number>
  /** Set when the process is asked to stop, so that load balancers send nothing new. */
  stopping: boolean
}
