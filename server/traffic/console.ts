import * as z from 'zod'
import { instantInput, page, pageInput, pageOf, placeOf as placeInList } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { detectorNames } from './detectors.ts'
import { numberOf } from './numberOf.ts'
import { ruleProcedures } from './rulesConsole.ts'
import { findingItem, showFinding } from './show.ts'
import { spotOf } from './spot.ts'
import { listFindings, triesByDevice, worstNetworks } from './store.ts'
import { whyItem, whyStopped } from './why.ts'

const HOUR_MS = 3_600_000
const id = z.string().max(64)
const tally = z.object({ value: z.string(), succeeded: z.number(), failed: z.number(), stopped: z.number() })

export const trafficRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/traffic', 'Traffic', 'Findings: what bots and guessers did, and what was done about it'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        detector: z.enum(detectorNames).optional(),
        ip: z.string().max(60).optional().describe('An address; findings of its network count too'),
        from: instantInput.optional(),
        to: instantInput.optional(),
      }),
    )
    .output(pageOf(findingItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      await runtime.traffic.flush()
      const spot = input.ip === undefined ? undefined : spotOf(input.ip)
      const rows = await listFindings(
        runtime.db,
        {
          appId: numberOf(runtime, 'app', input.appId),
          detector: input.detector,
          values: spot?.values ?? (input.ip ? [input.ip] : undefined),
          from: input.from,
          to: input.to,
          only: ctx.operator.appIds,
          ...placeInList(input),
        },
        input.limit + 1,
      )
      return page(
        rows,
        input.limit,
        (row) => showFinding(runtime, row),
        (row) => [row.id],
      )
    }),

  sources: procedure('view')
    .meta(rest('GET', '/traffic/sources', 'Traffic', 'Tries by network and by device, the worst first'))
    .input(z.object({ appId: id.optional(), from: instantInput.optional(), to: instantInput.optional() }))
    .output(z.object({ networks: z.array(tally), devices: z.array(tally) }))
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.traffic.flush()
      const app = numberOf(runtime, 'app', input.appId)
      const only = operator.appIds
      const to = input.to ?? runtime.now()
      const from = input.from ?? new Date(to.getTime() - 24 * HOUR_MS)
      const filter = {
        fromHour: Math.floor(from.getTime() / HOUR_MS),
        toHour: Math.floor(to.getTime() / HOUR_MS),
        appIds: app === undefined ? only : only && !only.includes(app) ? [] : [app],
      }
      const [networks, devices] = await Promise.all([
        worstNetworks(runtime.db, filter, 20),
        triesByDevice(runtime.db, filter),
      ])
      return { networks, devices }
    }),

  why: procedure('view')
    .meta(
      rest('GET', '/traffic/why', 'Traffic', 'Why was this person stopped? By address, or by whatever names a user'),
    )
    .input(z.object({ q: z.string().trim().min(1).max(200), appId: id.optional() }))
    .output(whyItem)
    .query(({ ctx: { runtime, operator }, input: { q, appId } }) =>
      whyStopped(runtime, operator, { q, appId: numberOf(runtime, 'app', appId) }),
    ),

  ...ruleProcedures,
})
