import * as z from 'zod'
import { newApp } from '#server/app/settings.ts'
import { kinds, locales } from '#server/email/kinds.ts'
import { templateInput } from '#server/email/templateInput.ts'
import { AppError, type FieldError } from '#server/error.ts'
import { typePatch } from '#server/event/changeType.ts'
import { newEndpoint } from '#server/webhook/settings.ts'

const endpoint = newEndpoint.extend({ state: z.enum(['active', 'paused']).optional() })
const eventType = typePatch.extend({ key: z.string().max(100) })

const app = newApp.required({ slug: true }).extend({
  /** Known by their URL; of several with one URL the first is the oldest. */
  webhooks: z.array(endpoint).max(200).optional(),
  /** Own types, and texts of built-in ones. */
  eventTypes: z.array(eventType).max(500).optional(),
  /** What is published, by kind and language. */
  emailTemplates: z.partialRecord(z.enum(kinds), z.partialRecord(z.enum(locales), templateInput)).optional(),
})

const declaration = z.strictObject({ apps: z.array(app).max(10_000) })

export type DeclaredEndpoint = z.infer<typeof endpoint>
export type DeclaredType = z.infer<typeof eventType>
export type DeclaredApp = z.infer<typeof app>

/**
 * The file that `apply` reads and `export` writes. An app is known by its slug; what is left out stays as it is.
 * @param env values for `{env: NAME}` in the file
 * @throws AppError invalid_request with every fault and its path
 */
export function readDeclaration(input: unknown, env: NodeJS.ProcessEnv): DeclaredApp[] {
  const faults: FieldError[] = []
  const filled = fill(input, env, [], faults)
  const parsed = declaration.safeParse(filled)
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path as (string | number)[]
    // A variable that is not set was named already.
    if (faults.some((fault) => fault.path === spell(path))) continue
    if (issue.code === 'unrecognized_keys')
      faults.push(...issue.keys.map((key) => ({ path: spell([...path, key]), message: 'is not a setting' })))
    else if (issue.code === 'invalid_key')
      faults.push({ path: spell(path), message: issue.issues[0]?.message ?? issue.message })
    else faults.push({ path: spell(path), message: issue.message })
  }
  const apps = parsed.data?.apps ?? []
  for (const [at, { slug }] of apps.entries()) {
    const first = apps.findIndex((other) => other.slug === slug)
    if (first < at) faults.push({ path: `apps[${at}].slug`, message: `is the same as apps[${first}].slug` })
  }
  if (faults.length > 0) throw invalid(faults)
  return apps
}

export const invalid = (errors: FieldError[]) =>
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

/** Whether a value has members of its own; a list counts as one value. */
export const isGroup = (value: unknown): value is Record<string, unknown> =>
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
