import * as z from 'zod'
import { inOrder, instant, pageInput, pageOf, shortPage, shortPageInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { changeOperator, operatorPatch, removeOperator } from './change.ts'
import { createOperator, newOperator } from './create.ts'
import { assertSeesAll, openOperator } from './operator.ts'
import { operatorShape, rowOf, show } from './show.ts'
import { listOperators, type OperatorRow } from './store.ts'

const listedOperator = operatorShape.extend({
  disabled: z.boolean(),
  createdAt: instant,
  lastSignInAt: instant.nullable(),
})

function showListed(runtime: Runtime, row: OperatorRow): z.infer<typeof listedOperator> {
  return {
    ...show(runtime, openOperator(runtime, row)),
    disabled: row.disabled,
    createdAt: row.createdAt.toISOString(),
    lastSignInAt: row.lastSignInAt?.toISOString() ?? null,
  }
}

const appIdsInput = z.array(z.string().max(64)).max(1000).nullable().optional()
const id = z.string().max(64)

export const operatorsRouter = router({
  list: procedure('own')
    .meta(rest('GET', '/operators', 'Operators', 'List the operators'))
    .input(z.object({ ...shortPageInput, sort: pageInput.sort }))
    .output(pageOf(listedOperator))
    .query(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const rows = inOrder(await listOperators(ctx.runtime.db), input.sort, 'createdAt')
      const { items, nextCursor } = shortPage(rows, input)
      return { items: items.map((row) => showListed(ctx.runtime, row)), nextCursor }
    }),

  create: procedure('own')
    .meta(rest('POST', '/operators', 'Operators', 'Make an operator'))
    .input(newOperator.omit({ appIds: true }).extend({ appIds: appIdsInput }))
    .output(operatorShape)
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { appIds, ...rest } = input
      const ids = appIds?.map((app) => rowOf(ctx.runtime, 'app', app))
      return show(ctx.runtime, await createOperator(ctx.runtime, ctx.actor, { ...rest, ...(ids && { appIds: ids }) }))
    }),

  update: procedure('own')
    .meta(
      rest(
        'PATCH',
        '/operators/{id}',
        'Operators',
        "Change an operator's role, apps, name or password, or switch them off",
      ),
    )
    .input(operatorPatch.omit({ appIds: true }).extend({ id, appIds: appIdsInput }))
    .output(operatorShape)
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { id, appIds, ...patch } = input
      const ids = appIds === undefined ? {} : { appIds: appIds?.map((app) => rowOf(ctx.runtime, 'app', app)) ?? null }
      return show(
        ctx.runtime,
        await changeOperator(ctx.runtime, ctx.actor, rowOf(ctx.runtime, 'op', id), { ...patch, ...ids }),
      )
    }),

  delete: procedure('own')
    .meta(rest('DELETE', '/operators/{id}', 'Operators', 'Remove an operator'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const row = rowOf(ctx.runtime, 'op', input.id)
      if (row === ctx.operator.id) throw new AppError('conflict', 'You cannot remove yourself; ask another owner')
      await removeOperator(ctx.runtime, ctx.actor, row)
    }),
})
