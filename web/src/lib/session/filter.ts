import type { SessionFilter } from '../api.ts'
import { apps } from '../apps.svelte.ts'
import { shorten } from '../format.ts'
import { param } from '../url.ts'
import { endReasons, methodWord } from '../words.ts'

export const ranges = [
  { value: '', label: 'Any time' },
  { value: '1h', label: 'Last hour' },
  { value: '24h', label: 'Last 24 hours' },
  { value: '7d', label: 'Last 7 days' },
  { value: '30d', label: 'Last 30 days' },
]
const seconds: Record<string, number> = { '1h': 3600, '24h': 86_400, '7d': 604_800, '30d': 2_592_000 }
export const since = (range: string | undefined) =>
  range && seconds[range] ? new Date(Date.now() - seconds[range] * 1000).toISOString() : undefined

const oneOf = <T extends string>(value: string | undefined, ...allowed: T[]) => allowed.find((one) => one === value)

/** The filter as the address bar says it; what nobody set is left out. */
export function sessionFilter(): SessionFilter {
  const filter: SessionFilter = {
    appId: param('app'),
    userId: param('user'),
    q: param('q'),
    ip: param('ip'),
    reason: oneOf(param('reason'), ...endReasons.map((one) => one.value)),
    status: oneOf(param('status'), 'active', 'ended'),
    method: oneOf(param('method'), 'telegram', 'ton', 'sso'),
    createdFrom: since(param('created')),
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as SessionFilter
}

export const sessionSort = () =>
  oneOf(param('sort'), 'createdAt', '-createdAt', 'lastActiveAt', '-lastActiveAt') ?? '-lastActiveAt'

export function chips() {
  const [user, ip, reason, method, app, created] = ['user', 'ip', 'reason', 'method', 'app', 'created'].map((name) =>
    param(name),
  )
  return [
    ...(app ? [{ name: 'app', text: `App ${apps.name(app) ?? shorten(app)}` }] : []),
    ...(user ? [{ name: 'user', text: `User ${shorten(user)}` }] : []),
    ...(ip ? [{ name: 'ip', text: `IP ${ip}` }] : []),
    ...(method ? [{ name: 'method', text: methodWord(method) }] : []),
    ...(reason
      ? [{ name: 'reason', text: `Ended: ${endReasons.find((one) => one.value === reason)?.word ?? reason}` }]
      : []),
    ...(created
      ? [
          {
            name: 'created',
            text: `Created: ${ranges.find((one) => one.value === created)?.label.toLowerCase() ?? created}`,
          },
        ]
      : []),
  ]
}

export function asCurl(filter: SessionFilter): string {
  const search = new URLSearchParams(Object.entries(filter) as [string, string][])
  return `curl -H "Authorization: Bearer $GATEHOUSE_TOKEN" "${location.origin}/api/v1/sessions${search.size ? `?${search}` : ''}"`
}
