import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { catalogue, groups, type EventType } from './catalogue.ts'
import { jsonObject } from './jsonObject.ts'
import { assertTexts, render } from './render.ts'
import { assertContent, compileSchema } from './schema.ts'
import { deleteType, renewApp, saveType } from './store.ts'
import { typesOf, type ChangedTexts, type OwnDefinition } from './types.ts'

const MOST_TYPES = 500
const MOST_SCHEMA_BYTES = 16_384

const text = (most: number) => z.string().min(1).max(most)
const templates = z
  .record(
    z.string().regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/, { message: 'must be a language tag such as en or pt-BR' }),
    z.strictObject({ title: text(500), body: text(4_000) }),
  )
  .describe('Title and body by locale, in ICU MessageFormat')

const shape = z.strictObject({
  op: z
    .string()
    .regex(/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/, { message: 'must be words joined by full stops' })
    .max(100)
    .describe('What the payload calls it; the key unless said otherwise'),
  unit: z.enum(['s', 'ms']).describe('Whether data.time counts seconds or milliseconds'),
  group: z.enum(groups).describe('What people switch off; security cannot be'),
  description: z.string().max(500),
  schema: jsonObject.describe('JSON Schema (2020-12) of the content'),
  sample: jsonObject,
  templates,
})

export const newType = shape
  .partial()
  .required({ schema: true, sample: true, templates: true })
  .extend({
    key: z
      .string()
      .max(100)
      .regex(/^[a-z0-9_]+(\.[a-z0-9_]+)+$/, {
        message: 'must be lower-case words joined by full stops, such as order.shipped',
      }),
  })
export type NewType = z.infer<typeof newType>

export const typePatch = shape.partial()
export type TypePatch = z.infer<typeof typePatch>

/** Makes an own type of an app. @throws AppError conflict, invalid_request with every fault */
export async function createType(runtime: Runtime, actor: Actor, app: App, input: NewType): Promise<EventType> {
  const { key, ...rest } = input
  const known = await typesOf(runtime, runtime.db, app)
  if (known.has(key)) throw new AppError('conflict', `There is an event type ${key} already`)
  if (known.size - catalogue.size >= MOST_TYPES)
    throw new AppError('conflict', `An app can have ${MOST_TYPES} types of its own`)
  const definition = whole({ op: key, unit: 's', group: 'other', description: '', ...defined(rest) })
  await save(runtime, actor, app, { key, action: 'event_type.create', definition, after: definition })
  return { ...definition, key, origin: 'own', people: true }
}

/**
 * Changes an own type; of a built-in one only the texts, by locale: the rest of it is contract.
 * @throws AppError not_found, invalid_request with every fault
 */
export async function changeType(
  runtime: Runtime,
  actor: Actor,
  app: App,
  key: string,
  patch: TypePatch,
): Promise<EventType> {
  const type = (await typesOf(runtime, runtime.db, app)).get(key)
  if (!type) throw new AppError('not_found', 'This app has no such event type')
  if (type.origin !== 'own') {
    const errors = Object.keys(patch)
      .filter((name) => name !== 'templates')
      .map((path) => ({ path, message: 'of a built-in type cannot be changed' }))
    if (errors.length > 0)
      throw new AppError('invalid_request', 'Only the texts of a built-in type can be changed', { errors })
  }
  const { op, unit, group, description, schema, sample, templates } = type
  const before = { op, unit, group, description, schema, sample, templates }
  const after = whole({ ...before, ...defined(patch) })
  const definition = type.origin === 'own' ? after : { templates: after.templates }
  await save(runtime, actor, app, { key, action: 'event_type.update', definition, before, after })
  return { ...type, ...after, key }
}

/** Removes an own type, or an app's own texts of a built-in one. What was recorded stays. @throws AppError not_found */
export async function removeType(runtime: Runtime, actor: Actor, app: App, key: string): Promise<void> {
  await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    if (!(await deleteType(tx, app.id, key)))
      throw new AppError('not_found', 'This app has no such event type of its own')
    await renewApp(tx, app.id)
    await recordAudit(tx, { at: runtime.now(), actor, action: 'event_type.delete', appId: app.id, before: { key } })
  })
  runtime.apps.delete(app.id)
}

type Saved = { key: string; action: string; definition: OwnDefinition | ChangedTexts; before?: unknown; after: unknown }

async function save(runtime: Runtime, actor: Actor, app: App, saved: Saved): Promise<void> {
  const { key, action, definition, before, after } = saved
  const at = runtime.now()
  await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    await saveType(tx, { appId: app.id, key, definition: JSON.stringify(definition), at })
    await renewApp(tx, app.id)
    await recordAudit(tx, { at, actor, action, appId: app.id, before, after: { key, ...(after as object) } })
  })
  runtime.apps.delete(app.id)
}

/** A definition in which everything fits: the schema is one, the sample fits it, and every text renders with the sample. */
function whole(definition: OwnDefinition): OwnDefinition {
  const { schema, sample, templates } = definition
  const fail = (path: string, message: string) => {
    throw new AppError('invalid_request', 'The input does not fit; see errors', { errors: [{ path, message }] })
  }
  if (JSON.stringify(schema).length > MOST_SCHEMA_BYTES) fail('schema', 'must weigh no more than 16 KiB')
  if (JSON.stringify(sample).length > MOST_SCHEMA_BYTES) fail('sample', 'must weigh no more than 16 KiB')
  compileSchema(schema)
  assertContent({ key: 'this type', schema }, sample, 'sample')
  if (!templates['en']) fail('templates.en', 'is needed: it is what people get whose language is missing')
  assertTexts(templates, schema)
  for (const locale of Object.keys(templates)) {
    try {
      render({ templates }, sample, { locales: [locale], rewardName: 'points' })
    } catch (error) {
      fail(`templates.${locale}`, `cannot be rendered: ${(error as Error).message}`)
    }
  }
  return definition
}

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>
  }
