import { initTRPC, TRPCError } from '@trpc/server'
import type { OpenApiMeta } from 'trpc-to-openapi'
import * as z from 'zod'
import { AppError, refusals, toAppError, type ErrorCode } from '#server/error.ts'
import { fieldErrors } from '#server/http/answer.ts'
import { actorOf, assertRight, type Operator, type Right } from '#server/operator/operator.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'

/** What every procedure knows of the call. */
export type Context = {
  runtime: Runtime
  origin: Origin
  /** Undefined while nobody is signed in. */
  operator: Operator | undefined
  /** The row of the cookie's or API token that was presented. */
  tokenId: number | undefined
  /** Members that were sent and that the procedure knows nothing of. */
  strange?: string[]
  /** Sets the console's cookie, or removes it. */
  setCookie: (token: string | undefined) => void
}

const t = initTRPC
  .context<Context>()
  .meta<OpenApiMeta>()
  .create({
    errorFormatter({ shape, error }) {
      const refusal = refusalOf(error)
      return {
        ...shape,
        message: refusal.message,
        data: {
          code: refusal.code,
          httpStatus: refusal.status,
          errors: refusal.errors,
          details: refusal.details,
          retryAfter: refusal.retryAfter,
        },
      }
    },
  })

/** Any failure of a procedure as one of our refusals. */
export function refusalOf(error: TRPCError): AppError {
  const { cause } = error
  if (cause instanceof AppError) return cause
  if (error.code === 'BAD_REQUEST' && cause instanceof z.core.$ZodError) {
    return new AppError('invalid_request', 'The input does not fit; see errors', {
      errors: fieldErrors(cause as z.ZodError),
    })
  }
  const known = (Object.keys(refusals) as ErrorCode[]).find(
    (code) => refusals[code][1] === error.code && refusals[code][0] < 500,
  )
  if (known) return new AppError(known, error.message)
  return toAppError(cause ?? error)
}

/** Rules throw AppError; tRPC wants its own error with a status of its own. */
const refusing = t.middleware(async ({ next }) => {
  const result = await next()
  if (!result.ok && result.error.cause instanceof AppError) {
    const { cause } = result.error
    throw new TRPCError({ code: refusals[cause.code][1], message: cause.message, cause })
  }
  return result
})

export const router = t.router
export const createCallerFactory = t.createCallerFactory

/** For anybody: set-up and sign-in. */
export const publicProcedure = t.procedure.use(refusing)

/** For operators whose role grants `right`, checked here for every procedure; which apps they may see is checked by each. */
export const procedure = (right: Right) =>
  publicProcedure.use(({ ctx, next }) => {
    const { operator } = ctx
    if (!operator) throw new AppError('token_invalid', 'Sign in first')
    assertRight(operator, right)
    assertKnown(ctx.strange)
    const actor: Actor = actorOf(operator, ctx.origin.ip)
    return next({ ctx: { ...ctx, operator, actor } })
  })

/** A filter with a slip of the pen in its name must not list, or end, everything. @throws AppError invalid_request */
function assertKnown(strange: string[] = []): void {
  if (strange.length === 0) return
  const errors = strange.map((path) => ({ path, message: 'is not known here' }))
  throw new AppError('invalid_request', 'The input does not fit; see errors', { errors })
}

/** How one procedure is called over REST. */
export const rest = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: `/${string}`,
  tag: string,
  summary: string,
  more: { successDescription?: string } = {},
): OpenApiMeta => ({ openapi: { method, path, tags: [tag], summary, protect: true, ...more } })
