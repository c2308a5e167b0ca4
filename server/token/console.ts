import * as z from 'zod'
import { inOrder, instant, pageInput, pageOf, shortPage, shortPageInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSeesAll } from '#server/operator/operator.ts'
import { sessionItem, showSession } from '#server/session/console.ts'
import { findListedSession } from '#server/session/listStore.ts'
import { revokeSession } from '#server/session/revoke.ts'
import { deleteKey } from './deleteKey.ts'
import { inspectToken } from './inspect.ts'
import { heardOf } from './keys.ts'
import { liveTokens, type LiveTokens } from './liveTokens.ts'
import { rotateKeys } from './rotate.ts'
import { listKeys } from './store.ts'

const token = z.string().trim().min(1).max(10_000)

export const tokensRouter = router({
  inspect: procedure('view')
    .meta(
      rest(
        'POST',
        '/tokens/inspect',
        'Tokens',
        'Take a token apart: what it says, whether it holds and why not, which session it belongs to',
      ),
    )
    .input(z.strictObject({ token }))
    .output(
      z.object({
        kind: z.enum(['jwt', 'opaque', 'refresh', 'logout', 'apiKey', 'operatorToken', 'unknown']),
        header: z.record(z.string(), z.unknown()).nullable(),
        claims: z.record(z.string(), z.unknown()).nullable(),
        valid: z.boolean(),
        reason: z.string().nullable(),
        code: z.string().nullable(),
        checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
        session: sessionItem.nullable(),
      }),
    )
    .mutation(async ({ ctx, input }) => {
      const found = await inspectToken(ctx.runtime, input.token)
      const row = found.sessionId === undefined ? undefined : await findListedSession(ctx.runtime.db, found.sessionId)
      const appId = row?.app.id ?? found.appId
      const { appIds } = ctx.operator
      // What an operator may not see is, for them, no token of ours.
      if (appId !== undefined && appIds && !appIds.includes(appId))
        throw new AppError('not_found', 'There is no such token in the apps you look after')
      return {
        kind: found.kind,
        header: found.header ?? null,
        claims: found.claims ?? null,
        valid: found.valid,
        reason: found.reason ?? null,
        code: found.code ?? null,
        checks: found.checks,
        session: row ? await showSession(ctx.runtime, row) : null,
      }
    }),

  revoke: procedure('support')
    .meta(rest('POST', '/tokens/revoke', 'Tokens', 'End the session that a token belongs to'))
    .input(z.strictObject({ token }))
    .output(z.object({ revoked: z.boolean() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const { sessionId } = await inspectToken(runtime, input.token)
      const row = sessionId === undefined ? undefined : await findListedSession(runtime.db, sessionId)
      if (!row || (ctx.operator.appIds && !ctx.operator.appIds.includes(row.app.id)))
        throw new AppError('not_found', 'No session belongs to this token')
      const revoked = await revokeSession(
        runtime,
        row.session.id,
        { reason: 'revoked_by_operator', by: actor.label },
        (tx) =>
          recordAudit(tx, {
            at: runtime.now(),
            actor,
            action: 'token.revoke',
            appId: row.app.id,
            target: { kind: 'session', id: row.session.id },
          }),
      )
      return { revoked }
    }),
})

const liveShape = z
  .object({
    count: z.number(),
    capped: z.boolean(),
    lastExpiresAt: instant.nullable().describe('When the last of them expires'),
  })
  .describe('Sessions whose newest access token this key signed and which is good still, counted up to 10,000')

const showLive = ({ lastExpiresAt, ...live }: LiveTokens) => ({
  ...live,
  lastExpiresAt: lastExpiresAt?.toISOString() ?? null,
})

const keyShape = z.object({
  kid: z.string(),
  state: z.enum(['next', 'active', 'retired']),
  alg: z.string(),
  createdAt: instant,
  activatedAt: instant.nullable(),
  retiredAt: instant.nullable(),
  publishedUntil: instant.nullable(),
  heardAt: instant.nullable().describe('Of the next key: when all who verify know it, before which it should not sign'),
  liveTokens: liveShape,
})

export const keysRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/keys', 'Signing keys', 'The keys that sign access tokens'))
    .input(z.object({ ...shortPageInput, sort: pageInput.sort }))
    .output(pageOf(keyShape))
    .query(async ({ ctx, input }) => {
      // Looking makes them where there are none yet.
      await ctx.runtime.keys.active()
      const rows = await listKeys(ctx.runtime.db)
      const live = await liveTokens(ctx.runtime, rows, ctx.operator.appIds)
      const items = rows.map((row) => ({
        kid: row.kid,
        state: row.state,
        alg: 'EdDSA',
        createdAt: row.createdAt.toISOString(),
        activatedAt: row.activatedAt?.toISOString() ?? null,
        retiredAt: row.retiredAt?.toISOString() ?? null,
        publishedUntil: row.publishedUntil?.toISOString() ?? null,
        heardAt: row.state === 'next' ? (heardOf(rows)?.toISOString() ?? null) : null,
        liveTokens: showLive(live.get(row.kid)!),
      }))
      return shortPage(inOrder(items, input.sort, '-createdAt'), input)
    }),

  rotate: procedure('own')
    .meta(
      rest(
        'POST',
        '/keys',
        'Signing keys',
        'Rotate: the next key signs from now on, the active one only verifies until its tokens have expired',
      ),
    )
    .input(z.strictObject({ reason: z.string().trim().min(1).max(200).optional().describe('Why, for the audit log') }))
    .output(
      z.object({
        active: z.string(),
        retired: z.string().nullable(),
        warning: z.string().nullable().describe('Where verifiers may not know the new key yet'),
      }),
    )
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { active, retired, warning } = await rotateKeys(ctx.runtime, ctx.actor, input.reason)
      return { active, retired: retired ?? null, warning: warning ?? null }
    }),

  delete: procedure('own')
    .meta(
      rest(
        'DELETE',
        '/keys/{kid}',
        'Signing keys',
        'Delete a retired key: the tokens it signed are refused from now on, and their sessions get new ones by refresh',
      ),
    )
    .input(z.object({ kid: z.string().max(100) }))
    .output(z.object({ stopped: liveShape }))
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      return { stopped: showLive(await deleteKey(ctx.runtime, ctx.actor, input.kid)) }
    }),
})
