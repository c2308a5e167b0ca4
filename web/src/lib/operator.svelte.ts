import { api, type Me } from './api.ts'
import { Resource } from './resource.svelte.ts'

const ranks = ['viewer', 'support', 'admin', 'owner'] as const
let current = $state.raw<Me>()

/** Called once by the shell. */
export function useOperator() {
  const me = new Resource(
    () => ['me'],
    () => api.auth.me.query(),
  )
  $effect(() => {
    if (me.data) current = me.data
  })
  return me
}

export const operator = {
  get me() {
    return current
  },
  /** Some operators look after some apps only, and so not after the installation. */
  get everywhere() {
    return current?.operator.appIds === null
  },
  /** Only hides what the server would refuse; the server decides. */
  may(least: (typeof ranks)[number]) {
    const role = current?.operator.role ?? 'viewer'
    return ranks.indexOf(role) >= ranks.indexOf(least)
  },
}
