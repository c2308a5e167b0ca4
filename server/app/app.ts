import type { Reader } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Vault } from '#server/secret/vault.ts'
import type { Runtime } from '#server/runtime.ts'
import { appSecrets, appSettings, type AppSecrets, type AppSettings } from './settings.ts'
import { findApp, findVersion, type AppRow } from './store.ts'
import type { Subscription } from './subscriptions.ts'

/** A relying party, ready for use: settings parsed and secrets opened. */
export type App = {
  id: number
  publicId: string
  slug: string
  name: string
  version: number
  disabled: boolean
  settings: AppSettings
  secrets: AppSecrets
  subscriptions: readonly Subscription[]
  createdAt: Date
  updatedAt: Date
}

/** Apps by row number as last read; an entry counts only while its version is the one in the database. */
export type AppCache = Map<number, App>

/**
 * The app that a path's `{app}` names, by id or slug.
 * @throws AppError not_found, app_disabled
 */
export async function getApp(runtime: Runtime, key: string): Promise<App> {
  const app = await findByKey(runtime, key)
  if (!app) throw new AppError('not_found', 'There is no such app')
  if (app.disabled) throw new AppError('app_disabled', 'This app is switched off')
  return app
}

/** Like `getApp`, but an app that is switched off is found too, and a missing one is undefined. */
export async function findByKey(runtime: Runtime, key: string): Promise<App | undefined> {
  const id = runtime.vault.ids.parse('app', key)
  const found = await findVersion(runtime.db, id === undefined ? { slug: key } : { id })
  return found && appAt(runtime, found.id, found.version)
}

/** The app of a row that was just read together with the app's version: from memory, unless the app has changed since. */
export function appAt(runtime: Runtime, id: number, version: number): App | Promise<App | undefined> {
  const known = runtime.apps.get(id)
  return known?.version === version ? known : load(runtime, id)
}

/** The app as a transaction sees it, for what has only its number; undefined when it is gone. What is not committed yet is not remembered. */
export async function appIn(runtime: Runtime, tx: Reader, id: number): Promise<App | undefined> {
  const found = await findVersion(tx, { id })
  if (!found) return undefined
  const known = runtime.apps.get(id)
  if (known?.version === found.version) return known
  const row = await findApp(tx, id)
  return row && openApp(runtime.vault, row)
}

async function load(runtime: Runtime, id: number): Promise<App | undefined> {
  const row = await findApp(runtime.db, id)
  if (!row) {
    runtime.apps.delete(id)
    return undefined
  }
  const app = openApp(runtime.vault, row)
  runtime.apps.set(id, app)
  return app
}

/** A row as an app: parsed and decrypted. */
export function openApp(vault: Vault, row: AppRow): App {
  const settings = appSettings.parse(JSON.parse(row.settings))
  const secrets = appSecrets.parse(JSON.parse(vault.open(row.secretsSealed, 'apps.secrets')))
  return {
    id: row.id,
    publicId: vault.ids.seal('app', row.id),
    slug: row.slug,
    name: row.name,
    version: row.version,
    disabled: row.disabled,
    settings,
    secrets,
    subscriptions: JSON.parse(row.subscriptions) as Subscription[],
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  }
}

/** The `aud` of this app's tokens: its audience IDs, or its own id while it has none. */
export function audienceOf(app: App): string | string[] {
  const { audiences } = app.settings
  return audiences.length === 0 ? app.publicId : audiences.length === 1 ? audiences[0]! : audiences
}
