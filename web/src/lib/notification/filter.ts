import type { NotificationFilter } from '../api.ts'
import { apps } from '../apps.svelte.ts'
import { shorten, utc } from '../format.ts'
import { param } from '../url.ts'
import { when } from '../when.ts'
import { channelOptions, statusOptions } from './look.ts'

const oneOf = (value: string | undefined, options: { value: string }[]) =>
  options.find((one) => one.value && one.value === value)?.value
const moment = (value: string | undefined) =>
  value && !Number.isNaN(Date.parse(value)) ? new Date(value).toISOString() : undefined

/** The filter as the address bar says it; what nobody set is left out. */
export function notificationFilter(): NotificationFilter {
  const chosen = when('when')
  const filter = {
    appId: param('app'),
    type: param('type'),
    user: param('user'),
    status: oneOf(param('status'), statusOptions),
    channel: oneOf(param('channel'), channelOptions),
    endpointId: param('endpoint'),
    q: param('q'),
    from: chosen.from ?? moment(param('from')),
    to: chosen.to ?? moment(param('to')),
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as NotificationFilter
}

/** What the filter is called while time passes: the range ("24h"), not the moment it began, or every look would be another list. */
export const filterKey = () => ({ ...notificationFilter(), from: param('when') ?? param('from'), to: param('to') })

export function chips() {
  const names = ['app', 'user', 'endpoint', 'from', 'to'] as const
  const words = {
    app: (id: string) => `App ${apps.name(id) ?? shorten(id)}`,
    user: (user: string) => `User ${shorten(user, 16)}`,
    endpoint: (id: string) => `Endpoint ${shorten(id)}`,
    from: (at: string) => `From ${moment(at) ? utc(at) : at}`,
    to: (at: string) => `To ${moment(at) ? utc(at) : at}`,
  }
  return names.flatMap((name) => {
    const value = param(name)
    return value ? [{ name, text: words[name](value) }] : []
  })
}

/** The list as one sees it, for a terminal. */
export function asCurl(filter: NotificationFilter): string {
  const search = new URLSearchParams(Object.entries(filter) as [string, string][])
  return `curl -H "Authorization: Bearer $GATEHOUSE_TOKEN" "${location.origin}/api/v1/notifications${search.size ? `?${search}` : ''}"`
}
