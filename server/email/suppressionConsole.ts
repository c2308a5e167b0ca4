import * as z from 'zod'
import { instant, page, pageInput, pageOf, placeOf } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSeesAll } from '#server/operator/operator.ts'
import { deleteSuppression, listSuppressions } from './listStore.ts'
import { hashAddress } from './queue.ts'

const item = z.object({
  id: z.string(),
  address: z.string().describe('Masked: a••@example.org'),
  reason: z.string(),
  createdAt: instant,
  until: instant.nullable().describe('Null is for good'),
})

/** Addresses that get no mail, of all apps: a mailbox that is gone is gone for each of them. */
export const suppressionsRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/email-suppressions', 'Mails', 'Addresses that refused mail and get no more'))
    .input(z.object({ ...pageInput, q: z.string().trim().max(300).optional().describe('A whole address') }))
    .output(pageOf(item))
    .query(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { vault, db, now } = ctx.runtime
      const rows = await listSuppressions(db, {
        ...placeOf(input),
        now: now(),
        limit: input.limit + 1,
        toHash: input.q ? hashAddress(vault, input.q) : undefined,
      })
      return page(
        rows,
        input.limit,
        (row) => ({
          id: vault.ids.seal('sup', row.id),
          address: vault.open(row.toSealed, 'emails.to'),
          reason: row.reason,
          createdAt: row.createdAt.toISOString(),
          until: row.until?.toISOString() ?? null,
        }),
        (row) => [row.id],
      )
    }),

  delete: procedure('support')
    .meta(rest('DELETE', '/email-suppressions/{id}', 'Mails', 'Let mail go to an address again'))
    .input(z.strictObject({ id: z.string().max(64) }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { runtime, actor } = ctx
      const { vault } = runtime
      const number = vault.ids.parse('sup', input.id) ?? -1
      await runtime.db.transaction(async (tx) => {
        const row = await deleteSuppression(tx, number)
        if (!row) throw new AppError('not_found', 'There is no such address')
        const label = vault.open(row.toSealed, 'emails.to')
        await recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'email.unsuppress',
          target: { kind: 'suppression', id: number, label },
          before: { reason: row.reason, until: row.until?.toISOString() ?? null },
        })
      })
    }),
})
