import * as z from 'zod'
import { listAllApps } from '#server/app/store.ts'
import { fallbacksSince } from '#server/email/fallbacks.ts'
import { isSettled } from '#server/email/templateStore.ts'
import { listDisabled } from '#server/webhook/store.ts'
import { instant } from './page.ts'
import { procedure, rest, router } from './trpc.ts'

/** A template that has not fallen back for this long is not spoken of any more. */
const FALLBACK_MS = 7 * 86_400_000

const notice = z.object({
  kind: z.enum(['endpoint_disabled', 'template_fallback']),
  app: z.object({ id: z.string(), name: z.string() }),
  at: instant,
  subject: z.string().describe('The URL of the endpoint, or the kind and language of the template'),
  reason: z.string(),
  endpointId: z.string().nullable(),
  template: z.object({ kind: z.string(), locale: z.string() }).nullable(),
})
type Notice = z.infer<typeof notice>

/** What needs an operator's hand now. Nothing is stored for it: a notice is gone when what it tells of is mended. */
export const noticesRouter = router({
  list: procedure('view')
    .meta(
      rest(
        'GET',
        '/notices',
        'Overview',
        'What needs a hand now: endpoints that were given up, templates that fell back',
      ),
    )
    .input(z.object({ appId: z.string().max(64).optional() }))
    .output(z.object({ items: z.array(notice), nextCursor: z.null() }))
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      const { db, vault } = runtime
      const chosen = input.appId === undefined ? undefined : (vault.ids.parse('app', input.appId) ?? -1)
      const apps = (await listAllApps(db))
        .filter(({ id }) => !operator.appIds || operator.appIds.includes(id))
        .filter(({ id }) => chosen === undefined || id === chosen)
      const named = new Map(apps.map((row) => [row.id, { id: vault.ids.seal('app', row.id), name: row.name }]))
      const items: Notice[] = []
      for (const row of await listDisabled(db)) {
        const app = named.get(row.appId)
        if (!app) continue
        items.push({
          ...{ kind: 'endpoint_disabled', app, subject: row.url, template: null },
          at: row.stateAt.toISOString(),
          reason: row.stateReason ?? 'It was switched off',
          endpointId: vault.ids.seal('whe', row.id),
        })
      }
      const from = new Date(runtime.now().getTime() - FALLBACK_MS)
      for (const { appId, kind, locale, reason, at } of await fallbacksSince(db, from, [...named.keys()])) {
        const app = named.get(appId)
        if (!app || (await isSettled(db, { appId, kind, locale }, at))) continue
        items.push({
          ...{ kind: 'template_fallback', app, reason, at: at.toISOString(), endpointId: null },
          subject: `${kind.replaceAll('_', ' ')}, ${locale}`,
          template: { kind, locale },
        })
      }
      return { items: items.sort((a, b) => b.at.localeCompare(a.at)), nextCursor: null }
    }),
})
