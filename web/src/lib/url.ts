import { goto } from '$app/navigation'
import { resolve } from '$app/paths'
import { page } from '$app/state'

/** An address inside the console, for paths that are made up at run time. */
export const at = resolve as unknown as (path: string) => string

type Values = Record<string, string | null | undefined>

/** A link inside the console that keeps the chosen app. */
export function to(path: string, values: Values = {}): string {
  const search = new URLSearchParams()
  const app = page.url.searchParams.get('app')
  for (const [name, value] of Object.entries({ app, ...values })) if (value) search.set(name, value)
  return at(path) + (search.size ? `?${search}` : '')
}

export const param = (name: string): string | undefined => page.url.searchParams.get(name) ?? undefined

/** The current address with some values changed. A changed filter drops the cursor: it belongs to another list. */
export function here(values: Values): string {
  const url = new URL(page.url.href)
  if (!('cursor' in values)) for (const name of ['cursor', 'back']) url.searchParams.delete(name)
  for (const [name, value] of Object.entries(values)) {
    if (value) url.searchParams.set(name, value)
    else url.searchParams.delete(name)
  }
  return url.pathname + url.search
}

export const go = (path: string, values: Values = {}) => goto(to(path, values))
export const set = (values: Values, options: { replace?: boolean } = {}) =>
  goto(here(values), { reset: false, ...options })
