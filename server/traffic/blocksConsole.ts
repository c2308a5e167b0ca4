import * as z from 'zod'
import { assertAhead, expiryInput, page, pageInput, pageOf, placeOf as placeInList } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { findUser } from '#server/identity/store.ts'
import { assertSees, assertSeesAll, type Operator } from '#server/operator/operator.ts'
import { createBlock, removeBlock } from './blocks.ts'
import { numberOf } from './numberOf.ts'
import { blockItem, showBlock } from './show.ts'
import { findBlock, listBlocks } from './store.ts'

const id = z.string().max(64)

/** What holds in every app concerns the whole installation. */
function assertMayBlock(operator: Operator, appId: number | undefined): void {
  if (appId === undefined) assertSeesAll(operator)
  else assertSees(operator, appId)
}

export const blocksRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/blocks', 'Traffic', 'Who is kept out, and who is always let in'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        kind: z.enum(['address', 'network', 'user', 'app']).optional(),
        effect: z.enum(['block', 'allow']).optional(),
      }),
    )
    .output(pageOf(blockItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      await runtime.traffic.flush()
      const filter = { appId: numberOf(runtime, 'app', input.appId), kind: input.kind, effect: input.effect }
      const rows = await listBlocks(
        runtime.db,
        { ...filter, only: ctx.operator.appIds, ...placeInList(input) },
        runtime.now(),
        input.limit + 1,
      )
      return page(
        rows,
        input.limit,
        (row) => showBlock(runtime, row),
        (row) => [row.id],
      )
    }),

  create: procedure('support')
    .meta(rest('POST', '/blocks', 'Traffic', 'Keep an address, network, user or app out, or always let one in'))
    .input(
      z.strictObject({
        effect: z.enum(['block', 'allow']).default('block'),
        kind: z.enum(['address', 'network', 'user', 'app']),
        value: z.string().trim().max(60).optional().describe('An address or a CIDR network'),
        userId: id.optional(),
        appId: id.optional().describe('Holds in this app only'),
        reason: z.string().trim().max(500).default(''),
        expiresAt: expiryInput.optional(),
      }),
    )
    .output(blockItem)
    .mutation(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      assertAhead(runtime.now(), input.expiresAt)
      const appId = numberOf(runtime, 'app', input.appId)
      const userId = numberOf(runtime, 'usr', input.userId)
      const user = userId === undefined ? undefined : await findUser(runtime.db, userId)
      if (input.kind === 'user' && userId !== undefined) {
        if (!user) throw new AppError('not_found', 'There is no such user')
        assertSees(operator, user.appId)
      } else assertMayBlock(operator, appId)
      if (appId === -1) throw new AppError('not_found', 'There is no such app')
      return showBlock(runtime, await createBlock(runtime, ctx.actor, { ...input, appId, userId }))
    }),

  delete: procedure('support')
    .meta(rest('DELETE', '/blocks/{id}', 'Traffic', 'Lift a block, or take an allowance back'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.traffic.flush()
      const row = await findBlock(runtime.db, numberOf(runtime, 'blk', input.id)!)
      if (!row || (operator.appIds && row.appId !== null && !operator.appIds.includes(row.appId)))
        throw new AppError('not_found', 'There is no such block')
      assertMayBlock(operator, row.appId ?? undefined)
      await removeBlock(runtime, ctx.actor, row.id)
    }),
})
