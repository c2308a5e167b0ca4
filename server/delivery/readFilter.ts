import type * as z from 'zod'
import { listAllApps } from '#server/app/store.ts'
import { subjectKey } from '#server/event/subject.ts'
import { resolveSearch } from '#server/identity/search.ts'
import type { Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { findText } from './findText.ts'
import type { LogFilter } from './logStore.ts'
import type { filterShape } from './shapes.ts'

/** A filter from outside in the store's terms: ids opened, people found under every name they go by. */
export async function readFilter(
  runtime: Runtime,
  operator: Operator,
  input: z.infer<typeof filterShape>,
): Promise<LogFilter> {
  const { ids } = runtime.vault
  const { appId, endpointId, user, q, ...plain } = input
  const number = (kind: 'app' | 'whe', text: string | undefined) =>
    text === undefined ? undefined : (ids.parse(kind, text) ?? -1)
  const filter = {
    ...plain,
    appId: number('app', appId),
    endpointId: number('whe', endpointId),
    only: operator.appIds,
  }
  return { ...filter, match: await readMatch(runtime, filter, { user, q }) }
}

/** Whom or what a text of the filter means: an event's id, a person under any name they go by, else words of what was told. */
async function readMatch(
  runtime: Runtime,
  filter: LogFilter,
  { user, q }: { user: string | undefined; q: string | undefined },
): Promise<LogFilter['match']> {
  const text = q ?? user
  if (!text) return undefined
  const { ids } = runtime.vault
  const event = q === undefined ? undefined : ids.parse('evt', q)
  if (event !== undefined) return { eventIds: [event], subjectKeys: [], userIds: [] }
  const apps =
    filter.appId === undefined ? (filter.only ?? (await listAllApps(runtime.db)).map(({ id }) => id)) : [filter.appId]
  const subjectKeys = apps.slice(0, 200).map((appId) => subjectKey(runtime, appId, text))
  const own = ids.parse('usr', text)
  if (own !== undefined || q === undefined)
    return { eventIds: [], subjectKeys, userIds: own === undefined ? [] : [own] }
  const found = await resolveSearch(runtime, q)
  const userIds = found?.userIds ?? []
  return { eventIds: userIds.length > 0 ? [] : await findText(runtime, filter, q), subjectKeys, userIds }
}
