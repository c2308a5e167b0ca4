import { boolean, bytes, id, index, instant, integer, ref, table, text } from '../dialect.ts'
import { apps } from './app.ts'

/** Where an app wants to be told of events. `version` counts changes of settings, so that a cached copy is known to be stale. */
export const webhookEndpoints = table(
  'webhook_endpoints',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    url: text().notNull(),
    description: text().notNull().default(''),
    /** JSON array of types; a last part of `*` stands for any. */
    types: text().notNull(),
    payloadFormat: text({ enum: ['standard', 'extended', 'logout_token'] }).notNull(),
    ordered: boolean().notNull(),
    ratePerSecond: integer().notNull(),
    concurrency: integer().notNull(),
    timeoutMs: integer().notNull(),
    /** JSON {signing: [{secret, until?}], headers: {}, privateKey?}, encrypted. */
    secretsSealed: bytes().notNull(),
    /** Ed25519, raw, in base64; there when the endpoint asks for v1a signatures. */
    publicKey: text(),
    state: text({ enum: ['active', 'paused', 'disabled'] }).notNull(),
    stateReason: text(),
    stateAt: instant().notNull(),
    lastSuccessAt: instant(),
    lastFailureAt: instant(),
    /** Since when nothing but failures. */
    failingSince: instant(),
    /** While this lies ahead the circuit is open: nothing is sent but, at its end, one probe. */
    openUntil: instant(),
    openings: integer().notNull().default(0),
    version: integer().notNull().default(1),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  },
  (endpoint) => [index('webhook_endpoints_app').on(endpoint.appId)],
)
