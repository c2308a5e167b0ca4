import type { App } from '#server/app/app.ts'
import type { Reader } from '#server/db/database.ts'
import { listSubjects } from '#server/event/store.ts'

/** Why an app's bot cannot write to a person, or undefined when it can as far as is known. */
export async function whyNoTelegram(
  db: Reader,
  app: App,
  userId: number,
  preferences: { telegramEndedAt: Date | null } | undefined,
): Promise<'no_bot' | 'unreachable' | 'no_telegram' | undefined> {
  if (app.secrets.botToken === undefined) return 'no_bot'
  if (preferences?.telegramEndedAt) return 'unreachable'
  return (await listSubjects(db, userId)).some(({ kind }) => kind === 'telegram') ? undefined : 'no_telegram'
}
