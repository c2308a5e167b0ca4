import * as z from 'zod'
import { findApp, listAllApps, listApiKeys } from '#server/app/store.ts'
import { openApp } from '#server/app/app.ts'
import { countUsers } from '#server/identity/searchStore.ts'
import { sessionItem, showSession } from '#server/session/console.ts'
import { sessionsWhere } from '#server/session/filterStore.ts'
import { countSessions, listSessions } from '#server/session/listStore.ts'
import { lastCensus, type Census } from '#server/stats/census.ts'
import { readSeries } from '#server/stats/series.ts'
import { instant } from './page.ts'
import { procedure, rest, router } from './trpc.ts'

const HOUR_MS = 3_600_000
/** Totals are counted no further than this at once. */
const MOST_COUNTED = 10_000

/** The dashboard's first figures, each found in the data as it is. */
export const overviewRouter = router({
  get: procedure('view')
    .meta(rest('GET', '/stats', 'Overview', 'Live sessions, sign-ins and evictions of the last 24 hours'))
    .input(z.object({ appId: z.string().max(64).optional() }))
    .output(
      z.object({
        liveSessions: z.number(),
        liveAsOf: instant.nullable().describe('Above 10,000 live sessions are counted once a minute: when'),
        users: z.number().describe('Counted up to 10,000'),
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
          endpoint: z.boolean(),
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
      const visible = appId === undefined ? operator.appIds : [appId]
      const appIds = visible?.filter((id) => !operator.appIds || operator.appIds.includes(id))
      const from = new Date((Math.floor(now.getTime() / HOUR_MS) - 23) * HOUR_MS)
      const [live, users, day, latest, rows] = await Promise.all([
        countSessions(db, sessionsWhere({ ...scope, status: 'active' }, now), MOST_COUNTED),
        countUsers(db, scope, MOST_COUNTED),
        readSeries(runtime, { from, to: now }, appIds),
        listSessions(db, sessionsWhere(scope, now), { sort: '-createdAt', after: undefined, limit: 8 }),
        appId === undefined ? listAllApps(db) : findApp(db, appId).then((app) => (app ? [app] : [])),
      ])
      const apps = rows
        .filter((row) => !operator.appIds || operator.appIds.includes(row.id))
        .map((row) => openApp(runtime.vault, row))
      const keys = await Promise.all(apps.slice(0, 50).map((app) => listApiKeys(db, app.id)))
      const census = live.count >= MOST_COUNTED ? lastCensus(runtime) : undefined
      return {
        liveSessions: census ? sumOf(census, appIds) : live.count,
        liveAsOf: census?.at.toISOString() ?? null,
        users,
        apps: apps.length,
        signIns24h: day.totals.signIns,
        ended24h: day.totals.ended,
        evictions24h: day.totals.evictions,
        perHour: day.points.map(({ at, signIns, evictions }) => ({ at: at.toISOString(), signIns, evictions })),
        latest: await Promise.all(latest.map((row) => showSession(runtime, row))),
        onboarding: {
          app: apps.length > 0,
          proof: apps.some((app) => app.secrets.botToken !== undefined || app.settings.ton.domains.length > 0),
          audience: apps.some((app) => app.settings.audiences.length > 0),
          apiKey: keys.some((list) => list.length > 0),
          endpoint: apps.some((app) => app.subscriptions.length > 0),
          session: latest.length > 0,
        },
      }
    }),
})

const sumOf = ({ live }: Census, appIds: number[] | undefined): number =>
  [...live].reduce((sum, [appId, n]) => (!appIds || appIds.includes(appId) ? sum + n : sum), 0)
