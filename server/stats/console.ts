import * as z from 'zod'
import { instant, instantInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { readSeries } from './series.ts'

const HOUR_MS = 3_600_000
const LONGEST_MS = 10 * 366 * 24 * HOUR_MS
const milliseconds = z.number().nullable().describe('Milliseconds; null where there were no calls')

const figures = {
  signIns: z.number(),
  failures: z.number(),
  stopped: z.number().describe('Tries that the traffic watch or a rate limit refused'),
  evictions: z.number(),
  ended: z.number(),
  users: z.number().describe('New ones'),
  nonces: z.number(),
  delivered: z.number().describe('Tries to deliver that were taken'),
  undelivered: z.number().describe('Tries to deliver that were not'),
  mailed: z.number().describe('Mails sent, or kept where no SMTP server is set'),
  unmailed: z.number().describe('Mails that bounced, failed, expired, were suppressed or never confirmed'),
  p50: milliseconds,
  p99: milliseconds,
}
const counts = z.record(z.string(), z.number())

export const statsRouter = router({
  series: procedure('view')
    .meta(rest('GET', '/stats/series', 'Overview', 'Figures over time: minutes, hours or days, as suits the span'))
    .input(
      z.object({ appId: z.string().max(64).optional(), from: instantInput.optional(), to: instantInput.optional() }),
    )
    .output(
      z.object({
        from: instant,
        to: instant,
        stepMinutes: z.number(),
        points: z.array(z.object({ at: instant, ...figures })),
        totals: z.object({
          ...figures,
          byMethod: counts,
          byFailure: counts,
          byEnd: counts,
          byMail: counts,
          revocation: z.object({ measured: z.number(), p50: milliseconds, p99: milliseconds }),
        }),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      const to = input.to ?? runtime.now()
      const from = input.from ?? new Date(to.getTime() - 24 * HOUR_MS)
      if (from > to || to.getTime() - from.getTime() > LONGEST_MS)
        throw new AppError('invalid_request', 'The input does not fit; see errors', {
          errors: [{ path: 'from', message: 'must lie before to, by ten years at the most' }],
        })
      const app = input.appId === undefined ? undefined : (runtime.vault.ids.parse('app', input.appId) ?? -1)
      const only = operator.appIds
      const appIds = app === undefined ? only : only && !only.includes(app) ? [] : [app]
      const { step, points, totals } = await readSeries(runtime, { from, to }, appIds)
      return {
        from: from.toISOString(),
        to: to.toISOString(),
        stepMinutes: step,
        points: points.map((point) => ({ ...point, at: point.at.toISOString() })),
        totals,
      }
    }),
})
