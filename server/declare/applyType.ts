import { isDeepStrictEqual } from 'node:util'
import type { App } from '#server/app/app.ts'
import { parse } from '#server/http/answer.ts'
import { changeType, createType, newType } from '#server/event/changeType.ts'
import { typesOf } from '#server/event/types.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { DeclaredType } from './declaration.ts'

/**
 * Brings an own type of an app, or its texts of a built-in one, to what is declared.
 * @returns what differed, each with a full stop before it; '' for all of it where there was none
 * @throws AppError invalid_request with every fault
 */
export async function applyType(runtime: Runtime, actor: Actor, app: App, declared: DeclaredType): Promise<string[]> {
  const { key, ...wanted } = declared
  const type = (await typesOf(runtime, runtime.db, app)).get(key)
  if (!type) {
    await createType(runtime, actor, app, parse(newType, declared))
    return ['']
  }
  const own = type.origin === 'own'
  const differing = Object.entries(wanted).filter(([name, value]) => {
    if (value === undefined) return false
    const now = type[name as keyof typeof wanted]
    // Languages of a built-in type that are not declared stay as they are.
    return own || name !== 'templates' ? !isDeepStrictEqual(now, value) : !includes(now, value)
  })
  if (differing.length === 0) return []
  await changeType(runtime, actor, app, key, Object.fromEntries(differing))
  return differing.map(([name]) => `.${name}`)
}

const includes = (all: unknown, some: unknown): boolean =>
  Object.entries(some as object).every(([name, value]) =>
    isDeepStrictEqual((all as Record<string, unknown>)[name], value),
  )
