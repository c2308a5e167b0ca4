import * as z from 'zod'
import {
  assertAhead,
  expiryInput,
  inOrder,
  instant,
  pageInput,
  pageOf,
  shortPage,
  shortPageInput,
} from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { rowOf } from './show.ts'
import { listOperatorTokens } from './store.ts'
import { createOperatorToken, removeOperatorToken, tokenName } from './tokens.ts'

const id = z.string().max(64)

const tokenShape = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: instant,
  lastUsedAt: instant,
  expiresAt: instant.nullable(),
})

export const operatorTokensRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/operator-tokens', 'Operators', 'List your own API tokens'))
    .input(z.object({ ...shortPageInput, sort: pageInput.sort }))
    .output(pageOf(tokenShape))
    .query(async ({ ctx, input }) => {
      const rows = inOrder(await listOperatorTokens(ctx.runtime.db, ctx.operator.id), input.sort, 'createdAt')
      const items = rows.map((row) => ({
        id: ctx.runtime.vault.ids.seal('opt', row.id),
        name: row.name ?? '',
        createdAt: row.createdAt.toISOString(),
        lastUsedAt: row.lastUsedAt.toISOString(),
        expiresAt: row.expiresAt?.toISOString() ?? null,
      }))
      return shortPage(items, input)
    }),

  create: procedure('view')
    .meta(rest('POST', '/operator-tokens', 'Operators', 'Make an API token with your own role; it is shown once'))
    .input(z.strictObject({ name: tokenName, expiresAt: expiryInput.optional() }))
    .output(z.object({ id: z.string(), token: z.string() }))
    .mutation(async ({ ctx, input }) => {
      assertAhead(ctx.runtime.now(), input.expiresAt)
      const { row, token } = await createOperatorToken(ctx.runtime, ctx.actor, {
        operatorId: ctx.operator.id,
        ...input,
      })
      return { id: ctx.runtime.vault.ids.seal('opt', row.id), token }
    }),

  delete: procedure('view')
    .meta(rest('DELETE', '/operator-tokens/{id}', 'Operators', 'Remove one of your API tokens'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(({ ctx, input }) =>
      removeOperatorToken(ctx.runtime, ctx.actor, ctx.operator.id, rowOf(ctx.runtime, 'opt', input.id)),
    ),
})
