import type { App } from '#server/app/app.ts'
import { describe } from '#server/app/change.ts'
import type { NewApp } from '#server/app/settings.ts'
import { isGroup } from './declaration.ts'

/** The members of an app's settings that are not as they are wanted, such as `sessionPolicy.idleTimeout`. */
export function differingSettings(app: App, wanted: NewApp): string[] {
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
