import * as z from 'zod'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSeesAll } from '#server/operator/operator.ts'
import { setFact } from '#server/operator/store.ts'
import { readReport, readRetention, report, retention, SETTINGS } from './settings.ts'

const answer = z.object({ retention, lastRun: report.nullable() })

export const retentionRouter = router({
  get: procedure('view')
    .meta(rest('GET', '/retention', 'Settings', 'How many days each kind of data is kept, and what was removed last'))
    .input(z.object({}))
    .output(answer)
    .query(async ({ ctx }) => ({
      retention: await readRetention(ctx.runtime.db),
      lastRun: await readReport(ctx.runtime.db),
    })),

  update: procedure('own')
    .meta(rest('PATCH', '/retention', 'Settings', 'Keep a kind of data longer or shorter; null keeps it for ever'))
    .input(retention.partial())
    .output(answer)
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      assertSeesAll(ctx.operator)
      const after = await runtime.db.transaction(async (tx) => {
        await tx.lock('retention')
        const before = await readRetention(tx)
        const given = Object.entries(input).filter(([, days]) => days !== undefined)
        const after = { ...before, ...(Object.fromEntries(given) as Partial<typeof before>) }
        await setFact(tx, SETTINGS, JSON.stringify(after))
        await recordAudit(tx, { at: runtime.now(), actor, action: 'retention.update', before, after })
        return after
      })
      return { retention: after, lastRun: await readReport(runtime.db) }
    }),
})
