import type { Runtime } from '#server/runtime.ts'

/** The number behind a public id that an operator filters by; -1, which nothing has, where it is none. */
export function numberOf(runtime: Runtime, kind: 'app' | 'usr' | 'blk', text: string | undefined): number | undefined {
  return text === undefined ? undefined : (runtime.vault.ids.parse(kind, text) ?? -1)
}
