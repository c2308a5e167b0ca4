import { api, type AppItem } from './api.ts'
import { Resource } from './resource.svelte.ts'

let known = $state.raw<AppItem[]>([])

/** Called once by the shell: the names behind `?app=`. */
export function useApps() {
  const list = new Resource(
    () => ['apps', 'all'],
    () => api.apps.list.query({ limit: 100 }),
  )
  $effect(() => {
    if (list.data) known = list.data.items
  })
}

export const apps = {
  get all() {
    return known
  },
  name: (id: string | undefined) => known.find((app) => app.id === id || app.slug === id)?.name,
}
