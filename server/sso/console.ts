import * as z from 'zod'
import { seenApp } from '#server/app/seenApp.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { breakerState, secondsUntilProbe } from './breaker.ts'
import { summarise } from './health.ts'
import { ssoToken } from './login.ts'
import { tryToken } from './tryOut.ts'
import { upstreamOf } from './upstream.ts'

const id = z.string().max(64)
const check = z.object({ claim: z.enum(['sub', 'iat', 'exp', 'aud', 'active']), ok: z.boolean(), reason: z.string() })
const milliseconds = z.number().nullable()
const counts = { accepted: z.number(), refused: z.number(), failed: z.number(), p50: milliseconds, p99: milliseconds }

const trialShape = z.object({
  accepted: z.boolean(),
  verdict: z.string(),
  request: z.object({
    method: z.string(),
    url: z.string(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    body: z.string().nullable(),
  }),
  answer: z
    .object({ status: z.number(), contentType: z.string().nullable(), body: z.string(), cut: z.boolean() })
    .nullable(),
  checks: z.array(check),
  timings: z.object({
    dns: milliseconds,
    connect: milliseconds,
    tls: milliseconds,
    firstByte: milliseconds,
    total: z.number(),
  }),
})

const healthShape = z.object({
  state: z.enum(['closed', 'open', 'half_open']),
  /** Seconds until the next try, while the circuit is open. */
  retryIn: z.number().nullable(),
  /** Why the address would be refused as it is written. */
  problem: z.string().nullable(),
  ...counts,
  minutes: z.array(z.object({ at: z.string(), ...counts })),
  refusals: z.array(z.object({ at: z.string(), code: z.string(), reason: z.string(), ip: z.string() })),
})

export const ssoRouter = router({
  try: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{id}/sso/try',
        'SSO',
        'Ask the tokenInfoURL about a token and show every step; nobody is signed in',
      ),
    )
    .input(z.strictObject({ id, token: ssoToken }))
    .output(trialShape)
    .mutation(async ({ ctx, input }) =>
      tryToken(ctx.runtime, await seenApp(ctx.runtime, ctx.operator, input.id), input.token),
    ),

  health: procedure('view')
    .meta(
      rest('GET', '/apps/{id}/sso/health', 'SSO', 'How the tokenInfoURL did in the last hour, as this process saw it'),
    )
    .input(z.object({ id }))
    .output(healthShape)
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const app = await seenApp(runtime, ctx.operator, input.id)
      const { breaker, health } = upstreamOf(runtime, app)
      const now = runtime.now()
      const state = breakerState(breaker, now.getTime())
      const { tokenInfoUrl } = app.settings.sso
      return {
        state,
        retryIn: state === 'open' ? secondsUntilProbe(breaker, now.getTime()) : null,
        problem: tokenInfoUrl === null ? null : (runtime.outbound.judge(tokenInfoUrl) ?? null),
        ...summarise(health, now),
        refusals: health.refusals,
      }
    }),
})
