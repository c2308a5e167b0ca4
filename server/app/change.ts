import { AppError } from '#server/error.ts'
import { isUniqueViolation, type Transaction } from '#server/db/database.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { revokeAppSessions } from '#server/session/revoke.ts'
import { trimSessions } from '#server/session/trim.ts'
import { openApp, type App } from './app.ts'
import { clashes, defaultSettings, type AppPatch, type AppSecrets, type AppSettings, type NewApp } from './settings.ts'
import { deleteApp, findApp, insertApp, updateApp } from './store.ts'

/** Makes an app. @throws AppError conflict when the slug is taken, invalid_request when none can be made of the name */
export async function createApp(runtime: Runtime, actor: Actor, input: NewApp): Promise<App> {
  const { name, slug: wanted, disabled = false, ...patch } = input
  const { settings, secrets } = merge(defaultSettings, {}, patch)
  const slug = wanted ?? slugOf(name)
  const now = runtime.now()
  const row = await uniqueSlug(slug, () =>
    runtime.db.transaction(async (tx) => {
      const row = await insertApp(tx, {
        name,
        slug,
        disabled,
        ...stored(runtime, settings, secrets),
        createdAt: now,
        updatedAt: now,
      })
      const app = openApp(runtime.vault, row)
      await recordAudit(tx, {
        at: now,
        actor,
        action: 'app.create',
        appId: row.id,
        target: { kind: 'app', id: row.id, label: name },
        after: describe(app),
      })
      return row
    }),
  )
  return openApp(runtime.vault, row)
}

/**
 * Changes any part of an app's settings. With `version` the change is refused when somebody changed the app since. Switching an app off ends its
 * sessions; a lower limit ends those beyond it.
 * @throws AppError not_found, conflict
 */
export async function changeApp(
  runtime: Runtime,
  actor: Actor,
  id: number,
  patch: AppPatch,
  version?: number,
): Promise<App> {
  const change = await runtime.db.transaction((tx) => changeAppIn(runtime, tx, actor, id, patch, version))
  await settleApp(runtime, actor, change)
  return change.after
}

export type ChangedApp = { before: App; after: App }

/** The same in the caller's transaction, after whose commit `settleApp` has to follow. @throws AppError not_found, conflict, invalid_request */
export async function changeAppIn(
  runtime: Runtime,
  tx: Transaction,
  actor: Actor,
  id: number,
  patch: AppPatch,
  version?: number,
): Promise<ChangedApp> {
  const now = runtime.now()
  await tx.lock(`app ${id}`)
  const row = await findApp(tx, id)
  if (!row) throw new AppError('not_found', 'There is no such app')
  if (version !== undefined && version !== row.version) throw overtaken()
  const before = openApp(runtime.vault, row)
  const { name = row.name, slug = row.slug, disabled = row.disabled, ...rest } = patch
  const { settings, secrets } = merge(before.settings, before.secrets, rest)
  const values = { name, slug, disabled, ...stored(runtime, settings, secrets), updatedAt: now }
  const changed = await uniqueSlug(slug, () => updateApp(tx, id, row.version, values))
  if (!changed) throw overtaken()
  const after = openApp(runtime.vault, changed)
  const difference = differences(describe(before), {
    ...describe(after),
    ...(JSON.stringify(before.secrets) !== JSON.stringify(after.secrets) && { secretsChanged: true }),
  })
  const target = { kind: 'app' as const, id, label: name }
  if (difference) await recordAudit(tx, { at: now, actor, action: 'app.update', appId: id, target, ...difference })
  return { before, after }
}

const overtaken = () =>
  new AppError('conflict', 'Somebody changed this app meanwhile; load it again and repeat your change')

/** What a change of an app means for its sessions, once it is committed. */
export async function settleApp(runtime: Runtime, actor: Actor, { before, after }: ChangedApp): Promise<void> {
  const { id } = after
  runtime.apps.delete(id)
  // Already refused by the app's state; this makes the end of each session visible and final.
  if (after.disabled && !before.disabled)
    await revokeAppSessions(runtime, id, { reason: 'app_disabled', by: actor.label })
  const { maxConcurrentSessions } = after.settings.sessionPolicy
  if (maxConcurrentSessions < before.settings.sessionPolicy.maxConcurrentSessions)
    await trimSessions(runtime, id, maxConcurrentSessions)
}

/** Removes an app with all its users, sessions and keys. */
export async function removeApp(runtime: Runtime, actor: Actor, id: number): Promise<void> {
  const now = runtime.now()
  await runtime.db.transaction(async (tx) => {
    const row = await findApp(tx, id)
    if (!row) throw new AppError('not_found', 'There is no such app')
    const before = describe(openApp(runtime.vault, row))
    await deleteApp(tx, id)
    await recordAudit(tx, {
      at: now,
      actor,
      action: 'app.delete',
      appId: id,
      target: { kind: 'app', id, label: row.name },
      before,
    })
  })
  runtime.apps.delete(id)
}

type SettingsPatch = Omit<AppPatch, 'name' | 'slug' | 'disabled'>

/** @throws AppError invalid_request for settings that do not go together */
function merge(settings: AppSettings, secrets: AppSecrets, patch: SettingsPatch) {
  const merged = combine(settings, secrets, patch)
  const faults = clashes(merged.settings, merged.secrets, patch.sessionPolicy)
  if (faults.length > 0)
    throw new AppError('invalid_request', 'These settings do not go together; see errors', { errors: faults })
  return merged
}

function combine(
  settings: AppSettings,
  secrets: AppSecrets,
  patch: SettingsPatch,
): { settings: AppSettings; secrets: AppSecrets } {
  const { botToken, ...telegram } = patch.telegram ?? {}
  const { headers, ...sso } = patch.sso ?? {}
  const merged: Record<string, unknown> = { ...settings }
  for (const [key, value] of Object.entries({ ...patch, telegram, sso })) {
    if (value === undefined) continue
    const current = merged[key]
    merged[key] = isGroup(value) && isGroup(current) ? { ...current, ...defined(value) } : value
  }
  const opened = { ...secrets }
  if (botToken === null) delete opened.botToken
  else if (botToken !== undefined) opened.botToken = botToken
  if (headers) opened.ssoHeaders = withoutNull({ ...opened.ssoHeaders, ...headers })
  const whole = merged as AppSettings
  return { settings: { ...whole, sessionPolicy: withinLifetime(whole.sessionPolicy, patch) }, secrets: opened }
}

/** A shorter longest lifetime takes along an idle timeout that nobody has named: no session is idle for longer than it lives. */
function withinLifetime(policy: AppSettings['sessionPolicy'], { sessionPolicy: named }: SettingsPatch) {
  if (named?.absoluteTimeout === undefined || named.idleTimeout !== undefined) return policy
  return { ...policy, idleTimeout: Math.min(policy.idleTimeout, policy.absoluteTimeout) }
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const defined = (group: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined))

const withoutNull = (values: Record<string, string | null>) =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null))

function stored(runtime: Runtime, settings: AppSettings, secrets: AppSecrets) {
  return {
    settings: JSON.stringify(settings),
    secretsSealed: runtime.vault.seal(JSON.stringify(secrets), 'apps.secrets'),
  }
}

/** An app as the audit log and the management API show it: secrets only as set or not. */
export function describe(app: App) {
  const { telegram, sso, ...settings } = app.settings
  return {
    name: app.name,
    slug: app.slug,
    disabled: app.disabled,
    ...settings,
    telegram: {
      botTokenSet: app.secrets.botToken !== undefined,
      botId: app.secrets.botToken?.split(':')[0] ?? null,
      ...telegram,
    },
    sso: { ...sso, headerNames: Object.keys(app.secrets.ssoHeaders ?? {}).sort() },
  }
}

/** The members that differ, before and after, or undefined when none do. */
function differences(before: Record<string, unknown>, after: Record<string, unknown>) {
  const keys = Object.keys(after).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  const pick = (from: Record<string, unknown>) => Object.fromEntries(keys.map((key) => [key, from[key]]))
  return keys.length > 0 ? { before: pick(before), after: pick(after) } : undefined
}

function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '')
  if (!slug || slug.startsWith('app_'))
    throw new AppError('invalid_request', 'No slug can be made of this name; give one', {
      errors: [{ path: 'slug', message: 'is needed' }],
    })
  return slug
}

async function uniqueSlug<T>(slug: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new AppError('conflict', `The slug ${slug} is taken`, {
      errors: [{ path: 'slug', message: 'is taken by another app' }],
    })
  }
}
