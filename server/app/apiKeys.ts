import { randomBytes } from 'node:crypto'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { isWithin, parseNetworks } from '#server/http/address.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret, proveOpaque, withSecret } from '#server/secret/opaque.ts'
import { appAt, findByKey, type App } from './app.ts'
import { findApiKey, insertApiKey, touchApiKey, type ApiKeyRow, type FoundApiKey } from './store.ts'

/** What an API key may be used for. */
export const apiKeyScopes = [
  'tokens:introspect',
  'tokens:revoke',
  'tokens:exchange',
  'events:write',
  'events:read',
] as const
export type ApiKeyScope = (typeof apiKeyScopes)[number]

/** Makes a key; the text is returned once and only its hash is kept. */
export async function createApiKey(
  runtime: Runtime,
  tx: Transaction,
  input: { appId: number; name: string; scopes: readonly ApiKeyScope[]; expiresAt?: Date | undefined },
): Promise<{ row: ApiKeyRow; key: string }> {
  const secret = randomBytes(32)
  const row = await insertApiKey(tx, {
    appId: input.appId,
    name: input.name,
    tokenHash: hashSecret(secret),
    scopes: JSON.stringify(input.scopes),
    createdAt: runtime.now(),
    expiresAt: input.expiresAt ?? null,
  })
  return { row, key: withSecret(runtime.vault.ids, 'sk', row.id, secret).token }
}

/** How an app's server says who it is: a key, and/or its address together with the app it names. */
export type ClientCredentials = { key?: string | undefined; clientId?: string | undefined; ip: string }

/**
 * The app whose server is calling: by API key, or by an allow-listed address that names the app. A non-empty allow-list also binds keys.
 * @throws AppError invalid_credentials, ip_not_allowed, forbidden (scope), app_disabled
 */
export async function authenticateApp(
  runtime: Runtime,
  credentials: ClientCredentials,
  scope: ApiKeyScope,
): Promise<App> {
  const app =
    credentials.key === undefined ? await byAddress(runtime, credentials) : await byKey(runtime, credentials.key, scope)
  if (credentials.clientId !== undefined && credentials.clientId !== app.publicId && credentials.clientId !== app.slug)
    throw refused()
  if (app.disabled) throw new AppError('app_disabled', 'This app is switched off')
  const { ipAllowList } = app.settings
  if (ipAllowList.length > 0 && !isWithin(credentials.ip, parseNetworks(ipAllowList))) {
    throw new AppError('ip_not_allowed', `${credentials.ip} is not on this app's list of allowed addresses`)
  }
  return app
}

async function byAddress(runtime: Runtime, credentials: ClientCredentials): Promise<App> {
  const app = credentials.clientId === undefined ? undefined : await findByKey(runtime, credentials.clientId)
  if (!app || app.settings.ipAllowList.length === 0) throw refused()
  return app
}

/** The row of a key whose secret is right, whatever else may be wrong with it; looking counts as no use. */
export function proveApiKey(runtime: Runtime, key: string): ReturnType<typeof findApiKey> {
  return proveOpaque(
    runtime,
    'sk',
    key,
    (id) => findApiKey(runtime.db, id),
    ({ key }) => Buffer.from(key.hash, 'hex'),
  )
}

async function byKey(runtime: Runtime, key: string, scope: ApiKeyScope): Promise<App> {
  const found = await proveApiKey(runtime, key)
  if (!found) throw refused()
  const { key: row, appVersion } = found
  const now = runtime.now()
  if (row.expiresAt && now >= row.expiresAt) throw refused()
  // A JSON list of words, so each stands there in its quotes.
  if (!row.scopes.includes(`"${scope}"`)) throw new AppError('forbidden', `This API key lacks the scope ${scope}`)
  const app = await appAt(runtime, row.appId, appVersion)
  if (!app) throw refused()
  noteUse(runtime, row, now)
  return app
}

/** `lastUsedAt` is for people, so a minute is exact enough and no call waits for it. */
function noteUse(runtime: Runtime, row: FoundApiKey['key'], now: Date): void {
  if (row.lastUsedAt && now.getTime() - row.lastUsedAt.getTime() < 60_000) return
  let written = lastUses.get(runtime)
  if (!written) lastUses.set(runtime, (written = new Map<number, number>()))
  if (now.getTime() - (written.get(row.id) ?? 0) < 60_000) return
  written.set(row.id, now.getTime())
  runtime.db
    .transaction((tx) => touchApiKey(tx, row.id, now))
    .catch((error: unknown) => runtime.log.warn({ err: error }, 'last use of an API key was not noted'))
}

/** When the last use of each key was sent to be written. */
const lastUses = new WeakMap<Runtime, Map<number, number>>()

const refused = () => new AppError('invalid_credentials', 'The API key is missing, wrong, or no longer valid')
