import { appIn, type App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { recordEvent } from '#server/event/record.ts'
import type { Person } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import type { EndReason, SessionRow, SignInMethod } from './session.ts'

export type EndedSession = { id: number; userId: number; method: SignInMethod }
export type Ending = { reason: EndReason; at: Date }

/** Reasons that are neither the person's own doing nor the app's nor time's: the app has to sign the person out. */
const FORCED = new Set<EndReason>([
  'limit_exceeded',
  'revoked_by_operator',
  'refresh_reuse',
  'signature_reset_failed',
  'user_blocked',
  'account_linked',
  'app_disabled',
])

/** Tells an app, inside the transaction that ended it, that a session is over. Costs nothing while the app listens to neither type. */
export async function tellEnded(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  { id, userId, method }: EndedSession,
  { reason, at }: Ending,
): Promise<void> {
  tx.afterCommit(() => runtime.figures.count(app.id, `ended.${reason}`))
  if (app.subscriptions.length === 0) return
  const { ids } = runtime.vault
  const content = {
    userId: ids.seal('usr', userId),
    sessionId: ids.seal('ses', id),
    method,
    reason,
    endedAt: at.toISOString(),
  }
  if (FORCED.has(reason)) await recordEvent(runtime, tx, { app, type: 'user.logout', userId, content })
  await recordEvent(runtime, tx, { app, type: 'session.ended', userId, content })
}

/** The same for many sessions, which may belong to many apps. */
export async function tellAllEnded(
  runtime: Runtime,
  tx: Transaction,
  sessions: (EndedSession & { appId: number })[],
  ending: Ending,
): Promise<void> {
  for (const [appId, own] of Map.groupBy(sessions, (session) => session.appId)) {
    const app = await appIn(runtime, tx, appId)
    if (!app || app.subscriptions.length === 0) {
      tx.afterCommit(() => runtime.figures.count(appId, `ended.${ending.reason}`, own.length))
      continue
    }
    for (const session of own) await tellEnded(runtime, tx, app, session, ending)
  }
}

/** Tells an app of a sign-in, and of the person when it is their first. */
export async function tellSignedIn(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  person: Pick<Person, 'isNew' | 'createdAt'>,
  session: SessionRow,
): Promise<void> {
  if (person.isNew) tx.afterCommit(() => runtime.figures.count(app.id, 'user.created'))
  if (app.subscriptions.length === 0) return
  const { ids } = runtime.vault
  const { userId, method, ip, userAgent } = session
  const who = { userId: ids.seal('usr', userId), method }
  if (person.isNew) {
    const content = { ...who, createdAt: person.createdAt.toISOString() }
    await recordEvent(runtime, tx, { app, type: 'user.created', userId, content })
  }
  const content = {
    userId: who.userId,
    sessionId: ids.seal('ses', session.id),
    method,
    createdAt: session.createdAt.toISOString(),
    ...(ip !== null && { ip }),
    ...(userAgent !== null && { userAgent }),
  }
  await recordEvent(runtime, tx, { app, type: 'session.created', userId, content })
}
