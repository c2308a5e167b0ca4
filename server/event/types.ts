import type { App } from '#server/app/app.ts'
import type { Reader } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { catalogue, type EventType, type Texts } from './catalogue.ts'
import { listTypes, type TypeRow } from './store.ts'

/** What an app's row says of a type: all of an own one, only the texts of a built-in one. */
export type OwnDefinition = Pick<EventType, 'op' | 'unit' | 'group' | 'description' | 'schema' | 'sample' | 'templates'>
export type ChangedTexts = { templates: Record<string, Texts> }

const known = new WeakMap<Runtime, Map<number, { version: number; types: ReadonlyMap<string, EventType> }>>()

/** All types that an app knows, its own and its texts included; remembered while the app's version stays. */
export async function typesOf(
  runtime: Runtime,
  db: Reader,
  app: Pick<App, 'id' | 'version'>,
): Promise<ReadonlyMap<string, EventType>> {
  let cache = known.get(runtime)
  if (!cache) known.set(runtime, (cache = new Map()))
  const cached = cache.get(app.id)
  if (cached?.version === app.version) return cached.types
  const rows = await listTypes(db, app.id)
  const types = rows.length === 0 ? catalogue : new Map([...catalogue, ...rows.map(readType)])
  cache.set(app.id, { version: app.version, types })
  return types
}

function readType(row: TypeRow): [string, EventType] {
  const builtin = catalogue.get(row.key)
  if (builtin) {
    const { templates } = JSON.parse(row.definition) as ChangedTexts
    return [row.key, { ...builtin, templates: { ...builtin.templates, ...templates } }]
  }
  const definition = JSON.parse(row.definition) as OwnDefinition
  return [row.key, { ...definition, key: row.key, origin: 'own', people: true }]
}
