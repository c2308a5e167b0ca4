import { id, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { users } from './identity.ts'

/** What a person wants to be told, and over which channels they can no longer be reached. */
export const notificationPreferences = table(
  'notification_preferences',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** JSON {group: {channel: false}}; what is not named is wanted. */
    choices: text().notNull(),
    /** Since when and why the bot can no longer write to them. */
    telegramEndedAt: instant(),
    telegramEndReason: text(),
  },
  (row) => [uniqueIndex('notification_preferences_user').on(row.userId)],
)
