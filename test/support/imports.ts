import { dirname, join, normalize } from 'node:path'

/** What a module imports: packages by name, our own files by their path from the root (`server/app/app.ts`). */
export function importsOf(file: string, source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const specifiers = [
    ...code.matchAll(/^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm),
    ...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map((match) => match[1]!)
  return specifiers.map((specifier) => {
    if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier))
    return specifier.replace(/^#lib\//, 'web/src/lib/').replace(/^#/, '')
  })
}

/** Who may import whom: a folder, and what it reaches (folders of ours, packages). */
export type Rules = Record<string, readonly string[]>

/** Imports of a module that its folder's rule does not allow; a folder without a rule is a stray itself. */
export function strays(rules: Rules, file: string, source: string): string[] {
  const folder = dirname(file)
  const reach = rules[folder]
  if (!reach) return [`${folder} has no rule`]
  return importsOf(file, source)
    .filter((target) => !target.startsWith('node:') && !reachable(target, folder, reach))
    .map((target) => `${file} → ${target}`)
}

function reachable(target: string, folder: string, reach: readonly string[]): boolean {
  if (dirname(target) === folder) return true
  return reach.some((allowed) =>
    allowed.startsWith('server/')
      ? target === allowed || dirname(target) === allowed
      : target === allowed || target.startsWith(`${allowed}/`),
  )
}
