import type { SessionFilter } from '../api.ts'
import { apps } from '../apps.svelte.ts'
import { countryName } from '../country.ts'
import { deviceKinds, kindWord } from '../device.ts'
import { shorten } from '../format.ts'
import { param } from '../url.ts'
import { when, whenWords } from '../when.ts'
import { endReasons, methodWord } from '../words.ts'

const oneOf = <T extends string>(value: string | undefined, ...allowed: T[]) => allowed.find((one) => one === value)

/** The filter as the address bar says it; what nobody set is left out. */
export function sessionFilter(): SessionFilter {
  const [created, used, ended] = [when('created'), when('used'), when('ended')]
  const filter: SessionFilter = {
    appId: param('app'),
    userId: param('user'),
    q: param('q'),
    ip: param('ip'),
    reason: oneOf(param('reason'), ...endReasons.map((one) => one.value)),
    status: oneOf(param('status'), 'active', 'ended'),
    method: oneOf(param('method'), 'telegram', 'ton', 'sso'),
    device: oneOf(param('device'), ...deviceKinds),
    country: /^([A-Z]{2}|unknown)$/.exec(param('country') ?? '')?.[0],
    createdFrom: created.from,
    createdTo: created.to,
    activeFrom: used.from,
    activeTo: used.to,
    endedFrom: ended.from,
    endedTo: ended.to,
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as SessionFilter
}

/** What the filter is called while time passes: the range ("24h"), not the moment it began, or every look would be another list. */
export const filterKey = () => ({
  ...sessionFilter(),
  ...{ createdFrom: param('created'), createdTo: undefined },
  ...{ activeFrom: param('used'), activeTo: undefined },
  ...{ endedFrom: param('ended'), endedTo: undefined },
})

export const sessionSort = () =>
  oneOf(param('sort'), 'createdAt', '-createdAt', 'lastActiveAt', '-lastActiveAt') ?? '-lastActiveAt'

export function chips() {
  const words: Record<string, (value: string) => string> = {
    app: (app) => `App ${apps.name(app) ?? shorten(app)}`,
    user: (user) => `User ${shorten(user)}`,
    ip: (ip) => `IP ${ip}`,
    method: methodWord,
    device: kindWord,
    country: countryName,
    reason: (reason) => `Ended: ${endReasons.find((one) => one.value === reason)?.word ?? reason}`,
    created: (range) => `Created: ${whenWords(range)}`,
    used: (range) => `Last used: ${whenWords(range)}`,
    ended: (range) => `Ended: ${whenWords(range)}`,
  }
  return Object.entries(words).flatMap(([name, word]) => {
    const value = param(name)
    return value ? [{ name, text: word(value) }] : []
  })
}

export function asCurl(filter: SessionFilter): string {
  const search = new URLSearchParams(Object.entries(filter) as [string, string][])
  return `curl -H "Authorization: Bearer $GATEHOUSE_TOKEN" "${location.origin}/api/v1/sessions${search.size ? `?${search}` : ''}"`
}
