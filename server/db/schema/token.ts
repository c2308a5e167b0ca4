import { sql } from 'drizzle-orm'
import { bytes, id, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'
import { sessions } from './session.ts'

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

/** Sessions that went with an erased person: the number stays while tokens of theirs may still be about, for those who verify offline. */
export const erasedSessions = table(
  'erased_sessions',
  {
    id: ref().primaryKey(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    endedAt: instant().notNull(),
  },
  (session) => [index('erased_sessions_ended').on(session.endedAt)],
)
