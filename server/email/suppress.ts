import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { recordEvent } from '#server/event/record.ts'
import type { Runtime } from '#server/runtime.ts'
import { maskAddress } from './mask.ts'
import { saveSuppression, type EmailRow } from './store.ts'

/** How long an address rests at which nothing arrived for a while. */
const REST_MS = 7 * 86_400_000

/**
 * Keeps mails away from an address: for good when it is none, and then the app is told, for it alone can ask the person for another; for a week when nothing
 * arrives there now. Never shorter than it was.
 */
export async function suppress(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  row: EmailRow,
  { to, forGood, reason }: { to: string; forGood: boolean; reason: string },
): Promise<void> {
  const now = runtime.now()
  const { toHash } = row
  // It outlives the person, so it is kept as it is shown.
  const toSealed = runtime.vault.seal(maskAddress(to), 'emails.to')
  const until = forGood ? null : new Date(now.getTime() + REST_MS)
  await saveSuppression(tx, { toHash, toSealed, reason, createdAt: now, until })
  if (row.userId === null || !forGood) return
  const userId = runtime.vault.ids.seal('usr', row.userId)
  const content = { userId, kind: row.kind, reason, bouncedAt: now.toISOString() }
  await recordEvent(runtime, tx, { app, type: 'email.bounced', userId: row.userId, content })
}
