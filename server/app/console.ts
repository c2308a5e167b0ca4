import * as z from 'zod'
import {
  assertAhead,
  countedPageOf,
  expiryInput,
  instant,
  MOST_COUNTED,
  inOrder,
  page,
  pageInput,
  pageOf,
  placeOf,
  shortPage,
  shortPageInput,
} from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, assertSeesAll, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { countSurplus } from '#server/session/listStore.ts'
import { apiKeyScopes, createApiKey, type ApiKeyScope } from './apiKeys.ts'
import { openApp, type App } from './app.ts'
import { changeApp, createApp, describe, removeApp } from './change.ts'
import { RULES, weaknessesOf } from './posture.ts'
import { appPatch, appSettings, newApp, sessionPolicy } from './settings.ts'
import { countApps, countLiveSessions, deleteApiKey, findApp, listApiKeys, listApps, type ApiKeyRow } from './store.ts'

const id = z.string().max(64)

const appShape = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  disabled: z.boolean(),
  version: z.number(),
  createdAt: instant,
  updatedAt: instant,
  ...appSettings.shape,
  telegram: appSettings.shape.telegram.extend({ botTokenSet: z.boolean(), botId: z.string().nullable() }),
  sso: appSettings.shape.sso.unwrap().extend({ headerNames: z.array(z.string()) }),
})

const appItem = appShape
  .pick({ id: true, name: true, slug: true, disabled: true, audiences: true, sessionPolicy: true, createdAt: true })
  .extend({ liveSessions: z.number() })

function show(app: App): z.infer<typeof appShape> {
  return {
    id: app.publicId,
    version: app.version,
    createdAt: app.createdAt.toISOString(),
    updatedAt: app.updatedAt.toISOString(),
    ...describe(app),
  }
}

/** The app an id (or slug) names, if this operator may see it. @throws AppError not_found */
async function getApp(runtime: Runtime, operator: Operator, text: string): Promise<App> {
  const number = runtime.vault.ids.parse('app', text)
  const row = number === undefined ? undefined : await findApp(runtime.db, number)
  if (!row) throw new AppError('not_found', 'There is no such app')
  assertSees(operator, row.id)
  return openApp(runtime.vault, row)
}

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>
  }

const weaknessShape = z.object({
  id: z.string(),
  severity: z.enum(['high', 'medium', 'low']),
  title: z.string(),
  rule: z.string(),
  risk: z.string(),
  cost: z.string().nullable(),
  safer: z.string().nullable(),
  tab: z.string(),
})

export const appsRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/apps', 'Apps', 'List apps'))
    .input(z.object({ ...pageInput, q: z.string().trim().max(100).optional() }))
    .output(countedPageOf(appItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const filter = { only: ctx.operator.appIds, ...(input.q && { q: input.q }) }
      const [rows, total] = await Promise.all([
        listApps(runtime.db, { ...filter, ...placeOf(input, 'createdAt'), limit: input.limit + 1 }),
        countApps(runtime.db, filter, MOST_COUNTED),
      ])
      const listed = page(
        rows,
        input.limit,
        (row) => openApp(runtime.vault, row),
        (row) => [row.id],
      )
      const items = await Promise.all(
        listed.items.map(async (app) => ({
          ...show(app),
          liveSessions: await countLiveSessions(runtime.db, app.id, runtime.now()),
        })),
      )
      return { items, nextCursor: listed.nextCursor, total }
    }),

  get: procedure('view')
    .meta(rest('GET', '/apps/{id}', 'Apps', 'One app with all its settings; secrets show only as set or not'))
    .input(z.object({ id }))
    .output(appShape)
    .query(async ({ ctx, input }) => show(await getApp(ctx.runtime, ctx.operator, input.id))),

  create: procedure('manage')
    .meta(rest('POST', '/apps', 'Apps', 'Make an app'))
    .input(newApp)
    .output(appShape)
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      return show(await createApp(ctx.runtime, ctx.actor, input))
    }),

  update: procedure('manage')
    .meta(rest('PATCH', '/apps/{id}', 'Apps', 'Change any part of an app; what is left out stays'))
    .input(
      appPatch.extend({
        id,
        version: z.number().int().optional().describe('Refuse when the app was changed since this version'),
      }),
    )
    .output(appShape)
    .mutation(async ({ ctx, input }) => {
      const { id, version, ...patch } = input
      const app = await getApp(ctx.runtime, ctx.operator, id)
      return show(await changeApp(ctx.runtime, ctx.actor, app.id, patch, version))
    }),

  delete: procedure('manage')
    .meta(rest('DELETE', '/apps/{id}', 'Apps', 'Remove an app with its users, sessions and keys'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      await removeApp(ctx.runtime, ctx.actor, (await getApp(ctx.runtime, ctx.operator, input.id)).id)
    }),

  posture: procedure('view')
    .meta(rest('GET', '/apps/{id}/posture', 'Apps', 'Settings that are weaker than RFC 9700 and OWASP ASVS 5 ask for'))
    .input(z.object({ id }))
    .output(z.object({ rules: z.number(), weaknesses: z.array(weaknessShape) }))
    .query(async ({ ctx, input }) => {
      const weaknesses = weaknessesOf(await getApp(ctx.runtime, ctx.operator, input.id))
      return {
        rules: RULES,
        weaknesses: weaknesses.map(({ safer, ...weakness }) => ({ ...weakness, safer: safer?.label ?? null })),
      }
    }),

  harden: procedure('manage')
    .meta(rest('POST', '/apps/{id}/posture/{rule}', 'Apps', 'Set the safer value of one weakness'))
    .input(z.strictObject({ id, rule: z.string().max(64) }))
    .output(appShape)
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const app = await getApp(runtime, ctx.operator, input.id)
      const safer = weaknessesOf(app).find((weakness) => weakness.id === input.rule)?.safer
      if (!safer) throw new AppError('not_found', 'This app has no such weakness, or only a person can mend it')
      return show(await changeApp(runtime, actor, app.id, safer.patch, app.version))
    }),

  policyImpact: procedure('view')
    .meta(
      rest(
        'POST',
        '/apps/{id}/policy-impact',
        'Apps',
        'How many live sessions a session policy would end at once, without saving it',
      ),
    )
    .input(z.strictObject({ id, sessionPolicy: sessionPolicy.partial() }))
    .output(z.object({ sessions: z.number(), users: z.number(), liveSessions: z.number() }))
    .query(async ({ ctx, input }) => {
      const app = await getApp(ctx.runtime, ctx.operator, input.id)
      const { maxConcurrentSessions, idleTimeout } = { ...app.settings.sessionPolicy, ...defined(input.sessionPolicy) }
      const now = ctx.runtime.now()
      const idleSince = new Date(now.getTime() - idleTimeout * 1000)
      return countSurplus(ctx.runtime.db, app.id, { most: maxConcurrentSessions, idleSince }, now)
    }),
})

const keyShape = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(apiKeyScopes)),
  createdAt: instant,
  expiresAt: instant.nullable(),
  lastUsedAt: instant.nullable(),
})

function showKey(runtime: Runtime, row: ApiKeyRow): z.infer<typeof keyShape> {
  return {
    id: runtime.vault.ids.seal('key', row.id),
    name: row.name,
    scopes: JSON.parse(row.scopes) as ApiKeyScope[],
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  }
}

export const apiKeysRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/apps/{appId}/api-keys', 'API keys', "List an app's API keys, without the keys themselves"))
    .input(z.object({ ...shortPageInput, sort: pageInput.sort, appId: id }))
    .output(pageOf(keyShape))
    .query(async ({ ctx, input }) => {
      const app = await getApp(ctx.runtime, ctx.operator, input.appId)
      const rows = await listApiKeys(ctx.runtime.db, app.id)
      const { items, nextCursor } = shortPage(inOrder(rows, input.sort, 'createdAt'), input)
      return { items: items.map((row) => showKey(ctx.runtime, row)), nextCursor }
    }),

  create: procedure('manage')
    .meta(rest('POST', '/apps/{appId}/api-keys', 'API keys', 'Make an API key; it is shown once'))
    .input(
      z.strictObject({
        appId: id,
        name: z.string().trim().min(1).max(100).default('API key'),
        scopes: z
          .array(z.enum(apiKeyScopes))
          .min(1)
          .default([...apiKeyScopes]),
        expiresAt: expiryInput.optional(),
      }),
    )
    .output(keyShape.extend({ key: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const app = await getApp(runtime, ctx.operator, input.appId)
      assertAhead(runtime.now(), input.expiresAt)
      return runtime.db.transaction(async (tx) => {
        const { row, key } = await createApiKey(runtime, tx, {
          appId: app.id,
          name: input.name,
          scopes: input.scopes,
          expiresAt: input.expiresAt,
        })
        await recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'api_key.create',
          appId: app.id,
          target: { kind: 'api_key', id: row.id, label: input.name },
          after: { name: input.name, scopes: input.scopes, expiresAt: input.expiresAt?.toISOString() ?? null },
        })
        return { ...showKey(runtime, row), key }
      })
    }),

  delete: procedure('manage')
    .meta(
      rest(
        'DELETE',
        '/apps/{appId}/api-keys/{keyId}',
        'API keys',
        'Remove an API key; it is refused from the next call on',
      ),
    )
    .input(z.strictObject({ appId: id, keyId: id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const app = await getApp(runtime, ctx.operator, input.appId)
      const number = runtime.vault.ids.parse('key', input.keyId)
      await runtime.db.transaction(async (tx) => {
        const row = number === undefined ? undefined : await deleteApiKey(tx, app.id, number)
        if (!row) throw new AppError('not_found', 'This app has no such key')
        await recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'api_key.delete',
          appId: app.id,
          target: { kind: 'api_key', id: row.id, label: row.name },
        })
      })
    }),
})
