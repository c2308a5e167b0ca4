import * as z from 'zod'
import { resolveSearch } from '#server/identity/search.ts'
import { findUser } from '#server/identity/store.ts'
import type { Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { blockItem, findingItem, showBlock, showFinding, showStop, stopItem } from './show.ts'
import { spotOf } from './spot.ts'
import { listBlocks, listFindings } from './store.ts'

export const whyItem = z.object({
  verdict: z.string(),
  blocks: z.array(blockItem),
  findings: z.array(findingItem),
  stops: z.array(stopItem),
  userId: z.string().nullable(),
})

/**
 * Why somebody was stopped: what stands against an address, a network or a person now, and what was done of late.
 * @param q an address, a network, or whatever names a user
 */
export async function whyStopped(
  runtime: Runtime,
  operator: Operator,
  { q, appId }: { q: string; appId: number | undefined },
): Promise<z.infer<typeof whyItem>> {
  await runtime.traffic.flush()
  await runtime.traffic.ready()
  const spot = spotOf(q)
  const found = spot ? undefined : await resolveSearch(runtime, q)
  const user = found?.userIds[0] === undefined ? undefined : await findUser(runtime.db, found.userIds[0])
  const visible = user && (!operator.appIds || operator.appIds.includes(user.appId)) ? user : undefined
  const filter = { appId, only: operator.appIds }
  const known = spot || visible
  const rows = known
    ? await listFindings(runtime.db, { ...filter, ...(spot ? { values: spot.values } : { userId: visible!.id }) }, 20)
    : []
  const entry = spot?.place && runtime.traffic.lists().find(spot.place, appId ?? 'any', runtime.now().getTime())
  const value = entry ? entry.value : spot?.network
  const blocks = (await listBlocks(runtime.db, filter, runtime.now(), 200)).filter((row) =>
    spot ? value !== undefined && row.value === value : visible !== undefined && row.userId === visible.id,
  )
  const stops = runtime.traffic
    .stops()
    .filter((stop) => spot?.holds(stop.ip) && (!operator.appIds || operator.appIds.includes(stop.appId)))
  const since = visible?.blockedAt
  return {
    verdict: since
      ? `This account is blocked since ${since.toISOString()}: ${visible.blockedReason ?? 'no reason was given'}`
      : verdictOf(
          spot?.network ? 'network' : 'address',
          (entry ?? blocks[0])?.effect,
          stops.length,
          rows.length,
          known !== undefined,
        ),
    blocks: blocks.map((row) => showBlock(runtime, row)),
    findings: rows.map((row) => showFinding(runtime, row)),
    stops: stops
      .slice(-50)
      .reverse()
      .map((stop) => showStop(runtime, stop)),
    userId: visible ? runtime.vault.ids.seal('usr', visible.id) : null,
  }
}

function verdictOf(
  what: 'address' | 'network',
  effect: 'block' | 'allow' | undefined,
  stops: number,
  findings: number,
  known: boolean,
): string {
  if (!known) return 'Nobody is known by this; look for an address, a network, or what names a user'
  if (effect === 'allow') return `This ${what} is on the allow-list: it is never stopped`
  if (effect === 'block') return `This ${what} is blocked now`
  if (stops > 0) return `Not blocked now; tries from this ${what} were stopped a while ago`
  return findings > 0 ? 'Not stopped now; there are earlier findings' : 'Nothing stops this'
}
