import { isNotNull } from 'drizzle-orm'
import { bytes, id, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'

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
    index('users_created').on(user.createdAt),
    // Few: each order has its own, for SQLite takes no part of one.
    index('users_blocked').on(user.id).where(isNotNull(user.blockedAt)),
    index('users_app_blocked').on(user.appId, user.id).where(isNotNull(user.blockedAt)),
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

/**
 * A person's own keys, encrypted under the secret key: what is personal is sealed under them (personal/), and they go with the person. In a table of
 * their own, so that backups can be kept without them. A joined account has several.
 */
export const personalKeys = table(
  'personal_keys',
  {
    tag: bytes().primaryKey(),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    sealed: bytes().notNull(),
  },
  (key) => [index('personal_keys_user').on(key.userId)],
)

/**
 * Who was erased: the number their account had and when it was made, which together no other has. It names nobody, outlives every backup, and has
 * whoever comes back with one erased again (personal/eraseAgain.ts).
 */
export const erasedUsers = table(
  'erased_users',
  {
    id: ref().notNull(),
    createdAt: instant().notNull(),
    erasedAt: instant().notNull(),
  },
  (row) => [uniqueIndex('erased_users_key').on(row.id, row.createdAt)],
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
