import { boolean, bytes, id, index, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'

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
    /** What its endpoints want, as JSON: here, under `version`, so that a login learns it without another read (app/subscriptions.ts). */
    subscriptions: text().notNull().default('[]'),
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
