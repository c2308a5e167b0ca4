import * as z from 'zod'
import { procedure, publicProcedure, router } from '#server/console/trpc.ts'
import { limitKey } from '#server/http/address.ts'
import type { Runtime } from '#server/runtime.ts'
import { changePassword } from './change.ts'
import { newPassword } from './password.ts'
import { completeSetup, needsSetup } from './setup.ts'
import { operatorShape, show } from './show.ts'
import { signInOperator } from './signIn.ts'
import { deleteOperatorToken } from './store.ts'

export const setupRouter = router({
  status: publicProcedure
    .output(z.object({ needsSetup: z.boolean() }))
    .query(async ({ ctx }) => ({ needsSetup: await needsSetup(ctx.runtime) })),

  complete: publicProcedure
    .input(
      z.strictObject({
        token: z.string().max(100),
        email: z.email().max(254),
        password: newPassword,
        name: z.string().trim().min(1).max(100).optional(),
      }),
    )
    .output(z.object({ operator: operatorShape }))
    .mutation(async ({ ctx, input }) => {
      await ctx.runtime.limits.guess(`setup from ${limitKey(ctx.origin.ip)}`, 20, 900)
      await completeSetup(ctx.runtime, input)
      const { operator, token } = await signInOperator(ctx.runtime, input, ctx.origin)
      ctx.setCookie(token)
      return { operator: show(ctx.runtime, operator) }
    }),
})

export const authRouter = router({
  signIn: publicProcedure
    .input(z.strictObject({ email: z.string().max(254), password: z.string().max(256) }))
    .output(z.object({ operator: operatorShape }))
    .mutation(async ({ ctx, input }) => {
      const { operator, token } = await signInOperator(ctx.runtime, input, ctx.origin)
      ctx.setCookie(token)
      return { operator: show(ctx.runtime, operator) }
    }),

  signOut: procedure('view')
    .output(z.void())
    .mutation(async ({ ctx }) => {
      const { tokenId, operator } = ctx
      if (tokenId !== undefined) await ctx.runtime.db.transaction((tx) => deleteOperatorToken(tx, operator.id, tokenId))
      ctx.setCookie(undefined)
    }),

  me: procedure('view')
    .output(
      z.object({
        operator: operatorShape,
        notices: z.array(z.object({ level: z.enum(['info', 'warning']), text: z.string() })),
        version: z.string(),
        publicUrl: z.string(),
      }),
    )
    .query(({ ctx }) => ({
      operator: show(ctx.runtime, ctx.operator),
      notices: noticesOf(ctx.runtime),
      version: '0.1.0',
      publicUrl: ctx.runtime.config.publicUrl,
    })),

  changePassword: procedure('view')
    .input(z.strictObject({ currentPassword: z.string().max(256), newPassword }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const { operator, tokenId = 0 } = ctx
      await changePassword(ctx.runtime, ctx.actor, { operatorId: operator.id, tokenId, ...input })
    }),
})

/** What every operator should know of this installation. */
function noticesOf(runtime: Runtime): { level: 'info' | 'warning'; text: string }[] {
  const { hostname, protocol } = new URL(runtime.config.publicUrl)
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if (protocol === 'https:' || local) return []
  return [
    {
      level: 'warning',
      text: 'GATEHOUSE_PUBLIC_URL is plain http: passwords and cookies can be read on the way. Put Gatehouse behind https.',
    },
  ]
}
