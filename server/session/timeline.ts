import type { Runtime } from '#server/runtime.ts'
import { explainEnd } from './ended.ts'
import type { SessionItem } from './console.ts'
import type { SessionRow } from './session.ts'
import { findReplacement, listEvents, listEvictedBy } from './store.ts'

export type Moment = { at: string; kind: string; text: string; detail: string | null; sessionId: string | null }

const signedIn = {
  telegram: 'Signed in with Telegram',
  ton: 'Signed in with a TON wallet',
  sso: "Signed in through the app's own sign-in",
}
const happened = { refreshed: 'Refreshed its access token', refresh_reused: 'A refresh token was used a second time' }

/** What happened to a session and what will, oldest first: why it lives or how it died. */
export async function timelineOf(runtime: Runtime, session: SessionRow, shown: SessionItem): Promise<Moment[]> {
  const { ids } = runtime.vault
  const [events, evicted] = await Promise.all([
    listEvents(runtime.db, session.id, 200),
    listEvictedBy(runtime.db, session),
  ])
  const where = [session.ip, session.userAgent].filter(Boolean).join(' · ') || null
  const moments: Moment[] = [
    { at: shown.createdAt, kind: 'created', text: signedIn[session.method], detail: where, sessionId: null },
    ...evicted.map((other) => ({
      at: shown.createdAt,
      kind: 'evicted_other',
      text: 'The limit was reached, so the oldest idle session was ended',
      detail: null,
      sessionId: ids.seal('ses', other.id),
    })),
    ...events.map((event) => ({
      at: event.at.toISOString(),
      kind: event.kind,
      text: happened[event.kind],
      detail: event.detail,
      sessionId: null,
    })),
  ]
  if (shown.lastActiveAt !== shown.createdAt) {
    moments.push({ at: shown.lastActiveAt, kind: 'active', text: 'Last used', detail: null, sessionId: null })
  }
  if (shown.endedAt === null) {
    const idle = shown.idleExpiresAt < shown.expiresAt
    moments.push({
      at: shown.idleExpiresAt,
      kind: 'expires',
      text: idle ? 'Ends unless it is used before' : 'Reaches its longest lifetime',
      detail: null,
      sessionId: null,
    })
    return moments
  }
  const replacement =
    shown.endReason === 'limit_exceeded'
      ? await findReplacement(runtime.db, { userId: session.userId, endedAt: new Date(shown.endedAt) })
      : undefined
  moments.push({
    at: shown.endedAt,
    kind: 'ended',
    text: replacement
      ? 'Evicted: the limit was reached and this session was idle the longest'
      : explainEnd(shown.endReason),
    detail: session.endedBy
      ? `by ${session.endedBy}`
      : replacement
        ? `new sign-in on ${replacement.userAgent ?? 'an unknown device'}`
        : null,
    sessionId: replacement ? ids.seal('ses', replacement.id) : null,
  })
  // Written at one moment, they are told in the order in which they came about.
  return moments
    .map((moment, place) => ({ moment, place }))
    .sort((a, b) => a.moment.at.localeCompare(b.moment.at) || a.place - b.place)
    .map(({ moment }) => moment)
}
