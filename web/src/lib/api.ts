import { goto } from '$app/navigation'
import { resolve } from '$app/paths'
import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client'
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import type { ConsoleRouter } from '../../../server/console/router.ts'

export const api = createTRPCClient<ConsoleRouter>({
  links: [httpBatchLink({ url: '/trpc', headers: { 'x-gatehouse-console': '1' }, maxURLLength: 4000 })],
})

export type Inputs = inferRouterInputs<ConsoleRouter>
export type Outputs = inferRouterOutputs<ConsoleRouter>
export type Session = Outputs['sessions']['list']['items'][number]
export type AppItem = Outputs['apps']['list']['items'][number]
export type App = Outputs['apps']['get']
export type AuditEntry = Outputs['audit']['list']['items'][number]
export type Me = Outputs['auth']['me']
export type Inspection = Outputs['tokens']['inspect']
export type SessionFilter = Inputs['sessions']['count']
export type NotificationItem = Outputs['notifications']['list']['items'][number]
export type NotificationDetail = Outputs['notifications']['get']
export type NotificationFilter = Inputs['notifications']['count']
export type Endpoint = Outputs['webhooks']['get']
export type EventType = Outputs['eventTypes']['list']['items'][number]
export type ApiKeyScope = NonNullable<Inputs['apiKeys']['create']['scopes']>[number]

export type Problem = { code: string; message: string; hint?: string; fields: Record<string, string> }

const hints: Record<string, string> = {
  forbidden: 'Your role does not allow this. An owner can change it under Operators.',
  conflict: 'Somebody else changed it in the meantime. Reload to see the newer state.',
  rate_limited: 'Wait a moment, then try again.',
  locked: 'Wait until the lock ends, then try again.',
  not_found: 'It may have been deleted. Go back to the list.',
  server_error: 'Try again. If it happens twice, look into the server log for the request.',
  unreachable: 'Check that Gatehouse is running and that you are online, then try again.',
}

const unanswered = { code: 'unreachable', message: 'The server did not answer.', hint: hints['unreachable']! }

/** What went wrong and what to do about it, whatever was thrown. */
export function problem(error: unknown): Problem {
  // A page's own code that does not come is the same trouble as data that does not.
  if (error instanceof TypeError && /module/.test(error.message)) return { ...unanswered, fields: {} }
  if (!(error instanceof TRPCClientError))
    return { code: 'unknown', message: error instanceof Error ? error.message : String(error), fields: {} }
  const data = error.data as { code?: string; errors?: { path: string; message: string }[] } | null | undefined
  const code = data?.code ?? 'unreachable'
  const fields = Object.fromEntries((data?.errors ?? []).map((fault) => [fault.path, fault.message]))
  const message = data ? error.message : unanswered.message
  return { code, message, fields, ...(hints[code] ? { hint: hints[code] } : {}) }
}

/** Sends a signed-out operator to the door, and back here afterwards. */
export function leaveIfSignedOut(error: unknown): boolean {
  const code = error instanceof TRPCClientError ? (error.data as { code?: string } | null)?.code : undefined
  if (code !== 'token_invalid') return false
  const door = resolve('/sign-in')
  if (location.pathname === door) return false
  void goto(`${door}?next=${encodeURIComponent(location.pathname + location.search)}`)
  return true
}
