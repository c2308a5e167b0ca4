import { pino, type DestinationStream } from 'pino'
import type { Config } from './config.ts'
import { openDatabase } from './db/open.ts'
import { createOutbox } from './delivery/outbox.ts'
import { answersSettled } from './http/afterAnswer.ts'
import { createMailer } from './email/mailer.ts'
import { createLimits } from './http/limits.ts'
import type { Lookup } from './http/outbound/lookup.ts'
import { createOutbound } from './http/outbound/outbound.ts'
import { createGeo } from './origin/geo.ts'
import { createPersonalKeys } from './personal/keys.ts'
import type { Runtime } from './runtime.ts'
import { createRemembered } from './secret/remembered.ts'
import { secretKey } from './secret/secretKey.ts'
import { createVault } from './secret/vault.ts'
import { createActivity } from './session/activity.ts'
import { createFigures } from './stats/figures.ts'
import { createSigningKeys } from './token/keys.ts'
import { answersTo } from './traffic/exempt.ts'
import { createTraffic } from './traffic/watch.ts'
import { openTelegramLane } from './notification/openTelegramLane.ts'
import { resendMails } from './notification/resendMails.ts'
import { openWebhookLane } from './webhook/lane.ts'

/** Opens everything a configuration names. The schema must stand already (db/migrate.ts). `closeRuntime` takes it down. */
export function createRuntime(
  config: Config,
  parts: { now?: () => Date; lookup?: Lookup; logTo?: DestinationStream } = {},
): Runtime {
  const log = pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    parts.logTo ?? pino.destination({ sync: false }),
  )
  const geo = createGeo(config.geoDatabase, (error) =>
    log.error({ err: error }, 'the country of an address could not be looked up'),
  )
  const db = openDatabase(config.databaseUrl, {
    onError: (error) => log.error({ err: error }, 'a database connection was lost'),
  })
  const vault = createVault(secretKey(config))
  const now = parts.now ?? (() => new Date())
  const runtime: Omit<Runtime, 'outbox' | 'mailer' | 'resendMails'> = {
    config,
    db,
    now,
    outbound: createOutbound(config.allowNetworks, parts.lookup),
    log,
    vault,
    personalKeys: createPersonalKeys(),
    geo,
    apps: new Map(),
    keys: createSigningKeys(db, vault, now),
    verified: createRemembered(),
    proven: createRemembered(),
    activity: createActivity(db, (error) => log.error({ err: error }, 'activity was not written and will be again')),
    limits: createLimits(db, config.rateLimits, vault),
    figures: createFigures(db, now, (error) => log.error({ err: error }, 'figures were not written and will be again')),
    traffic: createTraffic(db, vault, now, answersTo(config), (error) =>
      log.error({ err: error }, 'the traffic watch could not read or write'),
    ),
    stopping: false,
  }
  const whole = runtime as Runtime
  whole.outbox = createOutbox(whole, (tx, lane, now) =>
    lane > 0 ? openWebhookLane(whole, tx, lane) : openTelegramLane(whole, tx, lane, now),
  )
  whole.mailer = createMailer(whole)
  whole.resendMails = (tx, deliveryIds) => resendMails(whole, tx, deliveryIds)
  return whole
}

/** Writes what is only in memory and closes the database. */
export async function closeRuntime(runtime: Runtime): Promise<void> {
  await answersSettled(runtime)
  await runtime.outbound.close()
  await runtime.activity.close()
  await runtime.traffic.close()
  await runtime.figures.close()
  await runtime.db.close()
}
