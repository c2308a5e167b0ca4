import * as z from 'zod'
import { seenApp } from '#server/app/seenApp.ts'
import { pageOf, shortPage, shortPageInput, sorted, sortInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { catalogue, groups, type EventType } from './catalogue.ts'
import { changeType, createType, newType, removeType, typePatch } from './changeType.ts'
import { jsonObject } from './jsonObject.ts'
import { previewEvent } from './preview.ts'
import { typesOf } from './types.ts'

const id = z.string().max(64)
const key = z.string().max(100)
const object = z.record(z.string(), z.unknown())
const texts = z.object({ title: z.string(), body: z.string() })

export const eventTypeShape = z.object({
  key: z.string(),
  op: z.string(),
  unit: z.enum(['s', 'ms']),
  group: z.enum(groups),
  description: z.string(),
  schema: object,
  sample: object,
  templates: z.record(z.string(), texts),
  origin: z.enum(['builtin', 'system', 'own']),
  people: z.boolean().describe('Whether people are told of it over their channels, or only the app is'),
  changed: z.boolean().describe('Whether this app has texts of its own for a built-in type'),
})

function show(type: EventType): z.infer<typeof eventTypeShape> {
  const builtin = catalogue.get(type.key)
  return {
    ...type,
    changed: builtin !== undefined && JSON.stringify(builtin.templates) !== JSON.stringify(type.templates),
  }
}

export const eventTypesRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/event-types', 'Event types', 'The catalogue; with an app, its own types and texts too'))
    .input(z.object({ ...shortPageInput, sort: sortInput('key', 'group', 'origin'), appId: id.optional() }))
    .output(pageOf(eventTypeShape))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const types =
        input.appId === undefined
          ? catalogue
          : await typesOf(runtime, runtime.db, await seenApp(runtime, ctx.operator, input.appId))
      return shortPage(sorted([...types.values()].map(show), input.sort), input)
    }),

  create: procedure('manage')
    .meta(rest('POST', '/apps/{appId}/event-types', 'Event types', 'Make a type of the app’s own'))
    .input(newType.extend({ appId: id }))
    .output(eventTypeShape)
    .mutation(async ({ ctx, input }) => {
      const { appId, ...type } = input
      const app = await seenApp(ctx.runtime, ctx.operator, appId)
      return show(await createType(ctx.runtime, ctx.actor, app, type))
    }),

  update: procedure('manage')
    .meta(
      rest(
        'PATCH',
        '/apps/{appId}/event-types/{key}',
        'Event types',
        'Change a type of the app’s own, or the texts of a built-in one',
      ),
    )
    .input(typePatch.extend({ appId: id, key }))
    .output(eventTypeShape)
    .mutation(async ({ ctx, input }) => {
      const { appId, key, ...patch } = input
      const app = await seenApp(ctx.runtime, ctx.operator, appId)
      return show(await changeType(ctx.runtime, ctx.actor, app, key, patch))
    }),

  delete: procedure('manage')
    .meta(
      rest(
        'DELETE',
        '/apps/{appId}/event-types/{key}',
        'Event types',
        'Remove a type of the app’s own, or go back to the texts of a built-in one',
      ),
    )
    .input(z.strictObject({ appId: id, key }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const app = await seenApp(ctx.runtime, ctx.operator, input.appId)
      await removeType(ctx.runtime, ctx.actor, app, input.key)
    }),

  preview: procedure('view')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/event-types/{key}/preview',
        'Event types',
        'One event as each channel would carry it, with texts that need not be saved',
      ),
    )
    .input(
      z.strictObject({
        appId: id,
        key,
        user: z.string().min(1).max(255).default('987654321'),
        content: jsonObject.optional(),
        locale: z.string().max(35).optional(),
        templates: z
          .record(z.string().max(35), z.strictObject({ title: z.string().max(500), body: z.string().max(4_000) }))
          .optional(),
        draft: typePatch
          .pick({ op: true, unit: true, group: true, schema: true })
          .optional()
          .describe('What of an own type is not saved yet; with a schema, of one that is not there yet'),
      }),
    )
    .output(
      z.object({
        locale: z.string(),
        title: z.string(),
        body: z.string(),
        webhook: z.object({ standard: z.string(), extended: z.string() }).describe('JSON, as it would be sent'),
        telegram: z.string().describe('HTML as Telegram reads it'),
        inbox: z.object({ title: z.string(), body: z.string(), type: z.string(), group: z.enum(groups) }),
        email: z.object({ from: z.string(), subject: z.string(), html: z.string(), text: z.string() }),
      }),
    )
    .mutation(async ({ ctx, input }) => {
      const { appId, key: type, ...rest } = input
      return previewEvent(ctx.runtime, await seenApp(ctx.runtime, ctx.operator, appId), { type, ...rest })
    }),
})
