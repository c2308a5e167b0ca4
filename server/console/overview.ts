import * as z from 'zod'
import { findApp, listAllApps, listApiKeys } from '#server/app/store.ts'
import { openApp } from '#server/app/app.ts'
import { countUsers } from '#server/identity/searchStore.ts'
import { sessionItem, showSession } from '#server/session/console.ts'
import { countByHour, countSessions, listSessions, sessionsWhere } from '#server/session/listStore.ts'
import { instant } from './page.ts'
import { procedure, rest, router } from './trpc.ts'

const HOUR_MS = 3_600_000
const MOST_COUNTED = 1_000_000

/** The dashboard's first figures, each found in the data as it is. */
export const overviewRouter = router({
  get: procedure('view')
    .meta(rest('GET', '/stats', 'Overview', 'Live sessions, sign-ins and evictions of the last 24 hours'))
    .input(z.object({ appId: z.string().max(64).optional() }))
    .output(
      z.object({
        liveSessions: z.number(),
        users: z.number(),
        apps: z.number(),
        signIns24h: z.number(),
        ended24h: z.number(),
        evictions24h: z.number(),
        perHour: z.array(z.object({ at: instant, signIns: z.number(), evictions: z.number() })),
        latest: z.array(sessionItem),
        onboarding: z.object({
          app: z.boolean(),
          proof: z.boolean(),
          audience: z.boolean(),
          apiKey: z.boolean(),
          session: z.boolean(),
        }),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      const { db } = runtime
      const now = runtime.now()
      const appId = input.appId === undefined ? undefined : (runtime.vault.ids.parse('app', input.appId) ?? -1)
      const scope = { appId, only: operator.appIds }
      const lastHour = Math.floor(now.getTime() / HOUR_MS)
      const hours = Array.from({ length: 24 }, (_, place) => lastHour - 23 + place)
      const [live, users, counted, latest, rows] = await Promise.all([
        countSessions(db, sessionsWhere({ ...scope, status: 'active' }, now), MOST_COUNTED),
        countUsers(db, scope, MOST_COUNTED),
        countByHour(db, new Date(hours[0]! * HOUR_MS), scope),
        listSessions(db, sessionsWhere(scope, now), { sort: '-createdAt', after: undefined, limit: 8 }),
        appId === undefined ? listAllApps(db) : findApp(db, appId).then((app) => (app ? [app] : [])),
      ])
      const apps = rows
        .filter((row) => !operator.appIds || operator.appIds.includes(row.id))
        .map((row) => openApp(runtime.vault, row))
      const keys = await Promise.all(apps.slice(0, 50).map((app) => listApiKeys(db, app.id)))
      const sum = (tally: Map<number, number>) => [...tally.values()].reduce((total, n) => total + n, 0)
      return {
        liveSessions: live.count,
        users,
        apps: apps.length,
        signIns24h: sum(counted.signIns),
        ended24h: sum(counted.ended),
        evictions24h: sum(counted.evictions),
        perHour: hours.map((hour) => ({
          at: new Date(hour * HOUR_MS).toISOString(),
          signIns: counted.signIns.get(hour) ?? 0,
          evictions: counted.evictions.get(hour) ?? 0,
        })),
        latest: await Promise.all(latest.map((row) => showSession(runtime, row))),
        onboarding: {
          app: apps.length > 0,
          proof: apps.some((app) => app.secrets.botToken !== undefined || app.settings.ton.domains.length > 0),
          audience: apps.some((app) => app.settings.audiences.length > 0),
          apiKey: keys.some((list) => list.length > 0),
          session: latest.length > 0,
        },
      }
    }),
})
