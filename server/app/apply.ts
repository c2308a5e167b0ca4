import * as z from 'zod'
import { AppError, type FieldError } from '#server/error.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { findByKey, type App } from './app.ts'
import { changeApp, clashesOf, createApp, describe } from './change.ts'
import { newApp, type NewApp } from './settings.ts'

/** The file that `apply` reads and `export` writes. An app is known by its slug; what is left out stays as it is. */
const declaration = z.strictObject({ apps: z.array(newApp.required({ slug: true })).max(10_000) })

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

/**
 * Brings apps to what a file declares. The whole file is checked before the first write; applying it again changes nothing.
 * @throws AppError invalid_request with every fault and its path, conflict
 */
export async function applyApps(
  runtime: Runtime,
  actor: Actor,
  input: unknown,
  options: Options = {},
): Promise<Applied[]> {
  const apps = readDeclaration(input, options.env ?? {})
  const faults: FieldError[] = []
  for (const [at, wanted] of apps.entries()) {
    const clashing = clashesOf(await findByKey(runtime, wanted.slug), wanted)
    faults.push(...clashing.map(({ path, message }) => ({ path: `apps[${at}].${path}`, message })))
  }
  if (faults.length > 0) throw invalid(faults)
  const applied: Applied[] = []
  for (const wanted of apps) applied.push(await applyApp(runtime, actor, wanted, options.dryRun ?? false))
  return applied
}

async function applyApp(
  runtime: Runtime,
  actor: Actor,
  wanted: NewApp & { slug: string },
  dryRun: boolean,
): Promise<Applied> {
  const { slug } = wanted
  const current = await findByKey(runtime, slug)
  if (!current) {
    if (!dryRun) await createApp(runtime, actor, wanted)
    return { slug, result: 'created', changed: [] }
  }
  const changed = differing(current, wanted)
  if (changed.length === 0) return { slug, result: 'unchanged', changed }
  if (!dryRun) await changeApp(runtime, actor, current.id, wanted, current.version)
  return { slug, result: 'updated', changed }
}

function differing(app: App, wanted: NewApp): string[] {
  const { botToken, ssoHeaders } = app.secrets
  const shown = describe(app)
  const current = {
    ...shown,
    telegram: { ...shown.telegram, botToken: botToken ?? null },
    sso: { ...shown.sso, headers: ssoHeaders ?? {} },
  }
  return leaves(wanted).flatMap(([path, value]) => {
    const now = path.reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], current)
    return JSON.stringify(now ?? null) === JSON.stringify(value) ? [] : [path.join('.')]
  })
}

/** Every value in a tree of settings with its path; a list counts as one value. */
function leaves(tree: Record<string, unknown>, path: string[] = []): [path: string[], value: unknown][] {
  return Object.entries(tree).flatMap(([key, value]) => {
    if (value === undefined) return []
    return isGroup(value) ? leaves(value, [...path, key]) : [[[...path, key], value] as [string[], unknown]]
  })
}

function readDeclaration(input: unknown, env: NodeJS.ProcessEnv): (NewApp & { slug: string })[] {
  const faults: FieldError[] = []
  const filled = fill(input, env, [], faults)
  const parsed = declaration.safeParse(filled)
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path as (string | number)[]
    // A variable that is not set was named already.
    if (faults.some((fault) => fault.path === spell(path))) continue
    if (issue.code === 'unrecognized_keys') {
      faults.push(...issue.keys.map((key) => ({ path: spell([...path, key]), message: 'is not a setting' })))
    } else faults.push({ path: spell(path), message: issue.message })
  }
  const apps = parsed.data?.apps ?? []
  for (const [at, { slug }] of apps.entries()) {
    const first = apps.findIndex((other) => other.slug === slug)
    if (first < at) faults.push({ path: `apps[${at}].slug`, message: `is the same as apps[${first}].slug` })
  }
  if (faults.length > 0) throw invalid(faults)
  return apps
}

const invalid = (errors: FieldError[]) =>
  new AppError('invalid_request', 'The file is not valid, and nothing was changed', { errors })

/** Puts the value of a variable where the file says `{env: NAME}`, so that secrets need not stand in it. */
function fill(value: unknown, env: NodeJS.ProcessEnv, path: (string | number)[], faults: FieldError[]): unknown {
  if (Array.isArray(value)) return value.map((item, at) => fill(item, env, [...path, at], faults))
  if (!isGroup(value)) return value
  if (Object.keys(value).join() === 'env' && typeof value['env'] === 'string') {
    const name = value['env']
    if (!env[name])
      faults.push({ path: spell(path), message: `takes the environment variable ${name}, which is not set` })
    return env[name]
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, env, [...path, key], faults)]))
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `apps[0].sessionPolicy.idleTimeout` */
function spell(path: (string | number)[]): string {
  return (
    path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
      .join('')
      .replace(/^\./, '') || 'file'
  )
}
