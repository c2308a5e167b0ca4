import { appIn, findByKey, type App } from '#server/app/app.ts'
import { changeAppIn, createApp, settleApp, type ChangedApp } from '#server/app/change.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError, type FieldError } from '#server/error.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { applyEndpoint } from './applyEndpoint.ts'
import { applyTemplate } from './applyTemplate.ts'
import { applyType } from './applyType.ts'
import { invalid, readDeclaration, type DeclaredApp } from './declaration.ts'
import { differingSettings } from './differingSettings.ts'
import { within } from './within.ts'

export type Applied = {
  slug: string
  result: 'created' | 'updated' | 'unchanged'
  /** Members that differ (or would), such as `sessionPolicy.idleTimeout`. */
  changed: string[]
}

type Options = {
  /** Says what would happen and changes nothing. */
  dryRun?: boolean | undefined
  /** Values for `{env: NAME}` in the file. */
  env?: NodeJS.ProcessEnv | undefined
}

/** Ends a transaction that was only to show what it would do. */
const rehearsed = new Error('Nothing is kept of a rehearsal')

/**
 * Brings apps, with their endpoints, event types and mail templates, to what a file declares: all of it in one transaction, or nothing. Applying it again
 * changes nothing; what is not in the file is left as it is, and nothing is removed.
 * @throws AppError invalid_request with every fault and its path, conflict
 */
export async function applyApps(
  runtime: Runtime,
  actor: Actor,
  input: unknown,
  options: Options = {},
): Promise<Applied[]> {
  const apps = readDeclaration(input, options.env ?? {})
  let done: Awaited<ReturnType<typeof applyAll>> | undefined
  const work = async (tx: Transaction) => {
    done = await applyAll(within(runtime, tx), tx, actor, apps)
    if (options.dryRun) throw rehearsed
  }
  await runtime.db.transaction(work).catch((error: unknown) => {
    if (error !== rehearsed) throw error
  })
  if (!options.dryRun) for (const change of done!.changes) await settleApp(runtime, actor, change)
  return done!.applied
}

async function applyAll(runtime: Runtime, tx: Transaction, actor: Actor, apps: DeclaredApp[]) {
  const faults: FieldError[] = []
  const applied: Applied[] = []
  const changes: ChangedApp[] = []
  /** Does one thing; what does not fit is noted, so that all of it can be named at once. */
  const attempt = async <T>(path: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error
      const errors = error.errors ?? [{ path: '', message: error.message }]
      faults.push(...errors.map((fault) => ({ ...fault, path: [path, fault.path].filter(Boolean).join('.') })))
      return undefined
    }
  }
  for (const [at, wanted] of apps.entries()) {
    const path = `apps[${at}]`
    const { webhooks = [], eventTypes = [], emailTemplates = {}, ...settings } = wanted
    const current = await findByKey(runtime, wanted.slug)
    const changed = current ? differingSettings(current, settings) : []
    const app = await attempt(path, async () => {
      if (!current) return createApp(runtime, actor, settings)
      if (changed.length === 0) return current
      const change = await changeAppIn(runtime, tx, actor, current.id, settings, current.version)
      changes.push(change)
      return change.after
    })
    if (!app) continue
    // Each of these makes a new version of the app.
    const newest = async (): Promise<App> => (await appIn(runtime, tx, app.id))!
    // Types first: endpoints name them.
    for (const [place, type] of eventTypes.entries()) {
      const names = await attempt(`${path}.eventTypes[${place}]`, async () =>
        applyType(runtime, actor, await newest(), type),
      )
      changed.push(...(names ?? []).map((name) => `eventTypes.${type.key}${name}`))
    }
    const taken = new Set<number>()
    for (const [place, endpoint] of webhooks.entries()) {
      const names = await attempt(`${path}.webhooks[${place}]`, async () =>
        applyEndpoint(runtime, actor, await newest(), endpoint, taken),
      )
      changed.push(...(names ?? []).map((name) => `webhooks[${place}]${name}`))
    }
    for (const which of templatesOf(emailTemplates)) {
      const name = `emailTemplates.${which.kind}.${which.locale}`
      const differs = await attempt(`${path}.${name}`, async () => applyTemplate(runtime, actor, await newest(), which))
      if (differs) changed.push(name)
    }
    const result = current ? (changed.length === 0 ? 'unchanged' : 'updated') : 'created'
    applied.push({ slug: wanted.slug, result, changed: current ? changed : [] })
  }
  if (faults.length > 0) throw invalid(faults)
  return { applied, changes }
}

const templatesOf = (declared: NonNullable<DeclaredApp['emailTemplates']>) =>
  typed(declared).flatMap(([kind, byLocale]) => typed(byLocale).map(([locale, content]) => ({ kind, locale, content })))

const typed = <Key extends string, Value>(members: Partial<Record<Key, Value>>) =>
  Object.entries(members) as [Key, Value][]
