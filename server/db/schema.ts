import { isNotNull, isNull, sql } from 'drizzle-orm'
import { boolean, bytes, id, index, instant, integer, ref, table, text, uniqueIndex } from './dialect.ts'

// Every table has a whole number as key; what the world sees is that number sealed (secret/ids.ts).
// Columns called …Sealed are AES-256-GCM under the secret key, …Hash are SHA-256 of a secret or a keyed hash of what is sealed.

/** A relying party and all its settings. `version` counts changes, so that a cached copy is known to be stale on the next call. */
export const apps = table(
  'apps',
  {
    id: id(),
    slug: text().notNull(),
    name: text().notNull(),
    version: integer().notNull().default(1),
    disabled: boolean().notNull().default(false),
    settings: text().notNull(),
    secretsSealed: bytes().notNull(),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  },
  (app) => [uniqueIndex('apps_slug').on(app.slug)],
)

export const apiKeys = table(
  'api_keys',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    tokenHash: bytes().notNull(),
    scopes: text().notNull(),
    createdAt: instant().notNull(),
    expiresAt: instant(),
    lastUsedAt: instant(),
  },
  (key) => [index('api_keys_app').on(key.appId)],
)

/** A person as one app knows them. Users are never shared between apps: whoever holds an app's bot token can forge its logins. */
export const users = table(
  'users',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    profileSealed: bytes(),
    emailHash: bytes(),
    createdAt: instant().notNull(),
    blockedAt: instant(),
    blockedReason: text(),
  },
  (user) => [
    index('users_app').on(user.appId, user.id),
    index('users_email').on(user.emailHash).where(isNotNull(user.emailHash)),
  ],
)

/** One proof bound to a user: a Telegram id, a TON address, an SSO subject. */
export const identities = table(
  'identities',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    kind: text({ enum: ['telegram', 'ton', 'sso'] }).notNull(),
    subjectHash: bytes().notNull(),
    subjectSealed: bytes().notNull(),
    usernameHash: bytes(),
    detailsHash: bytes(),
    detailsSealed: bytes(),
    publicKey: bytes(),
    createdAt: instant().notNull(),
  },
  (identity) => [
    uniqueIndex('identities_subject').on(identity.appId, identity.kind, identity.subjectHash),
    index('identities_user').on(identity.userId),
    index('identities_username').on(identity.usernameHash).where(isNotNull(identity.usernameHash)),
  ],
)

/** Nabi's profile: a handle owned by a wallet address. */
export const profiles = table(
  'profiles',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    handle: text().notNull(),
    handleKey: text().notNull(),
    ownedBy: text().notNull(),
    dataSealed: bytes().notNull(),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  },
  (profile) => [
    uniqueIndex('profiles_handle').on(profile.appId, profile.handleKey),
    index('profiles_owner').on(profile.appId, profile.ownedBy),
    index('profiles_user').on(profile.userId),
  ],
)

/** A login that can be listed and ended. A live one holds a seat, and no two live sessions of a user hold the same. */
export const sessions = table(
  'sessions',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    identityId: ref().notNull(),
    seat: integer().notNull(),
    method: text({ enum: ['telegram', 'ton', 'sso'] }).notNull(),
    ip: text(),
    userAgent: text(),
    createdAt: instant().notNull(),
    lastActiveAt: instant().notNull(),
    // Minutes since the epoch of lastActiveAt: indexed in its place, because a touch within the same minute then leaves every index alone.
    activeMinute: integer().notNull(),
    expiresAt: instant().notNull(),
    endedAt: instant(),
    endReason: text(),
    endedBy: text(),
    refreshHash: bytes().notNull(),
    refreshExpiresAt: instant().notNull(),
    refreshGeneration: integer().notNull().default(0),
    refreshedAt: instant(),
    refreshSuccessorSealed: bytes(),
  },
  (session) => [
    uniqueIndex('sessions_seat').on(session.userId, session.seat).where(isNull(session.endedAt)),
    index('sessions_live').on(session.id).where(isNull(session.endedAt)),
    index('sessions_user').on(session.userId, session.id),
    index('sessions_app').on(session.appId, session.id),
    index('sessions_ip').on(session.ip, session.id),
    index('sessions_created').on(session.createdAt),
    index('sessions_ended').on(session.endedAt).where(isNotNull(session.endedAt)),
    index('sessions_active').on(session.activeMinute),
    index('sessions_reason').on(session.endReason, session.id).where(isNotNull(session.endReason)),
  ],
)

/** What happened to a session between its login and its end. */
export const sessionEvents = table(
  'session_events',
  {
    id: id(),
    sessionId: ref()
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    at: instant().notNull(),
    kind: text({ enum: ['refreshed', 'refresh_reused'] }).notNull(),
    detail: text(),
  },
  (event) => [index('session_events_session').on(event.sessionId, event.id)],
)

/** Opaque access tokens; a JWT has no row, its session decides. */
export const accessTokens = table(
  'access_tokens',
  {
    id: id(),
    sessionId: ref()
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    tokenHash: bytes().notNull(),
    expiresAt: instant().notNull(),
  },
  (token) => [index('access_tokens_session').on(token.sessionId), index('access_tokens_expiry').on(token.expiresAt)],
)

export const nonces = table(
  'nonces',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    /** Random; the nonce is a keyed hash of it, so that the table alone yields none. */
    seed: bytes().notNull(),
    address: text(),
    expiresAt: instant().notNull(),
    usedAt: instant(),
  },
  (nonce) => [index('nonces_expiry').on(nonce.expiresAt)],
)

/** Proofs that may serve once only (`telegram.singleUse`), remembered while they are fresh. */
export const usedProofs = table(
  'used_proofs',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    proofHash: bytes().notNull(),
    expiresAt: instant().notNull(),
  },
  (proof) => [
    uniqueIndex('used_proofs_proof').on(proof.appId, proof.proofHash),
    index('used_proofs_expiry').on(proof.expiresAt),
  ],
)

export const signingKeys = table(
  'signing_keys',
  {
    id: id(),
    kid: text().notNull(),
    state: text({ enum: ['next', 'active', 'retired'] }).notNull(),
    publicJwk: text().notNull(),
    privateSealed: bytes().notNull(),
    createdAt: instant().notNull(),
    activatedAt: instant(),
    retiredAt: instant(),
    /** When a retired key leaves the key set: no token signed by it lives longer. */
    publishedUntil: instant(),
  },
  (key) => [
    uniqueIndex('signing_keys_kid').on(key.kid),
    uniqueIndex('signing_keys_active').on(key.state).where(sql.raw(`state = 'active'`)),
  ],
)

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

/** Facts about this installation, such as the hash of the set-up link. */
export const facts = table('facts', {
  key: text().primaryKey(),
  value: text().notNull(),
})

/** Points used by rate limiting; only PostgreSQL shares them between processes. */
export const rateLimits = table('rate_limits', {
  key: text().primaryKey(),
  points: integer().notNull().default(0),
  expire: ref(),
})
