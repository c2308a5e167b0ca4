import { boolean, bytes, id, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'

export const operators = table(
  'operators',
  {
    id: id(),
    emailSealed: bytes().notNull(),
    emailHash: bytes().notNull(),
    name: text(),
    passwordHash: text().notNull(),
    role: text({ enum: ['owner', 'admin', 'support', 'viewer'] }).notNull(),
    /** The apps an operator may see, as a JSON array of numbers; null is all of them. */
    appIds: text(),
    disabled: boolean().notNull().default(false),
    createdAt: instant().notNull(),
    lastSignInAt: instant(),
  },
  (operator) => [uniqueIndex('operators_email').on(operator.emailHash)],
)

/** What an operator signs in with after the password: a cookie's session or a named API token. */
export const operatorTokens = table(
  'operator_tokens',
  {
    id: id(),
    operatorId: ref()
      .notNull()
      .references(() => operators.id, { onDelete: 'cascade' }),
    kind: text({ enum: ['session', 'api'] }).notNull(),
    name: text(),
    tokenHash: bytes().notNull(),
    createdAt: instant().notNull(),
    lastUsedAt: instant().notNull(),
    expiresAt: instant(),
    ip: text(),
    userAgent: text(),
  },
  (token) => [index('operator_tokens_operator').on(token.operatorId)],
)

/** Who did what, when, from where, before → after. Each row's hash covers the one before it. */
export const auditLog = table(
  'audit_log',
  {
    id: id(),
    at: instant().notNull(),
    actorKind: text({ enum: ['operator', 'system', 'cli'] }).notNull(),
    actorId: ref(),
    actorLabel: text().notNull(),
    action: text().notNull(),
    appId: ref(),
    targetKind: text(),
    targetId: ref(),
    targetLabel: text(),
    before: text(),
    after: text(),
    ip: text(),
    previousHash: text().notNull(),
    hash: text().notNull(),
  },
  (entry) => [
    index('audit_log_at').on(entry.at),
    index('audit_log_target').on(entry.targetKind, entry.targetId),
    uniqueIndex('audit_log_chain').on(entry.previousHash),
  ],
)
