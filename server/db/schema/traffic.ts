import { boolean, id, index, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'

/** Who may not come in, and who always may: an allowance wins over every block and every finding. */
export const blocks = table(
  'blocks',
  {
    id: id(),
    effect: text({ enum: ['block', 'allow'] }).notNull(),
    kind: text({ enum: ['address', 'network', 'user', 'app'] }).notNull(),
    /** An address or a network in CIDR form; null for a user or an app. */
    value: text(),
    userId: ref(),
    /** The app it holds in; null is all of them. */
    appId: ref(),
    reason: text().notNull(),
    author: text().notNull(),
    automatic: boolean().notNull().default(false),
    createdAt: instant().notNull(),
    expiresAt: instant(),
  },
  (block) => [
    index('blocks_value').on(block.value),
    index('blocks_user').on(block.userId),
    index('blocks_expiry').on(block.expiresAt),
  ],
)

/** What a detector saw: what, who, since when, how sure, what was done. */
export const findings = table(
  'findings',
  {
    id: id(),
    detector: text().notNull(),
    appId: ref().notNull(),
    kind: text({ enum: ['address', 'network', 'user', 'proof', 'app'] }).notNull(),
    /** The address or network, or the start of a proof's hash; empty for a user or an app. */
    value: text().notNull(),
    userId: ref(),
    startedAt: instant().notNull(),
    lastSeenAt: instant().notNull(),
    /** How many tries it was made of, and how many of them were stopped since. */
    tries: integer().notNull(),
    stopped: integer().notNull(),
    /** Percent. */
    confidence: integer().notNull(),
    answer: text({ enum: ['watch', 'slow', 'challenge', 'block'] }).notNull(),
    /** Found by a rule that is only tried out: nothing was done. */
    shadow: boolean().notNull(),
    answeredUntil: instant(),
  },
  (finding) => [index('findings_seen').on(finding.lastSeenAt), index('findings_value').on(finding.value)],
)

/** Where an operator departs from a detector's defaults. */
export const trafficRules = table('traffic_rules', {
  detector: text().primaryKey(),
  mode: text({ enum: ['off', 'shadow', 'on'] }).notNull(),
  threshold: integer().notNull(),
  answer: text({ enum: ['watch', 'slow', 'challenge', 'block'] }).notNull(),
  updatedAt: instant().notNull(),
})

/** Tries to sign in by the hour, address and device. */
export const tries = table(
  'tries',
  {
    /** Hours since the epoch. */
    hour: integer().notNull(),
    appId: ref().notNull(),
    network: text().notNull(),
    address: text().notNull(),
    device: text().notNull(),
    succeeded: integer().notNull(),
    failed: integer().notNull(),
    stopped: integer().notNull(),
  },
  (row) => [
    uniqueIndex('tries_key').on(row.hour, row.appId, row.address, row.device),
    index('tries_network').on(row.network, row.hour),
    index('tries_address').on(row.address, row.hour),
  ],
)
