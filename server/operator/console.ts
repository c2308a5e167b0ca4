import * as z from 'zod'
import { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import {
  assertAhead,
  countedPageOf,
  instant,
  expiryInput,
  instantInput,
  MOST_COUNTED,
  inOrder,
  page,
  pageInput,
  pageOf,
  placeOf,
  shortPage,
  shortPageInput,
} from '#server/console/page.ts'
import { procedure, publicProcedure, rest, router } from '#server/console/trpc.ts'
import type { Runtime } from '#server/runtime.ts'
import { changeOperator, changePassword, operatorPatch, removeOperator } from './change.ts'
import { createOperator, newOperator } from './create.ts'
import { assertSeesAll, openOperator, roles, type Operator } from './operator.ts'
import { newPassword } from './password.ts'
import { completeSetup, needsSetup } from './setup.ts'
import { signInOperator } from './signIn.ts'
import {
  countAudit,
  deleteOperatorToken,
  listAudit,
  listOperators,
  listOperatorTokens,
  type AuditRow,
  type OperatorRow,
} from './store.ts'
import { createOperatorToken, removeOperatorToken, tokenName } from './tokens.ts'
import { verifyAudit } from './audit.ts'

const operatorShape = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  role: z.enum(roles),
  appIds: z.array(z.string()).nullable().describe('The only apps this operator may see; null is all'),
})

const listedOperator = operatorShape.extend({
  disabled: z.boolean(),
  createdAt: instant,
  lastSignInAt: instant.nullable(),
})

function show(runtime: Runtime, operator: Operator): z.infer<typeof operatorShape> {
  return {
    id: operator.publicId,
    email: operator.email,
    name: operator.name ?? null,
    role: operator.role,
    appIds: operator.appIds?.map((id) => runtime.vault.ids.seal('app', id)) ?? null,
  }
}

function showListed(runtime: Runtime, row: OperatorRow): z.infer<typeof listedOperator> {
  return {
    ...show(runtime, openOperator(runtime, row)),
    disabled: row.disabled,
    createdAt: row.createdAt.toISOString(),
    lastSignInAt: row.lastSignInAt?.toISOString() ?? null,
  }
}

/** A public id from the input as the row's number. @throws AppError not_found */
function rowOf(runtime: Runtime, kind: 'op' | 'opt' | 'app', id: string): number {
  const row = runtime.vault.ids.parse(kind, id)
  if (row === undefined) throw new AppError('not_found', 'There is nothing of that id')
  return row
}

const appIdsInput = z.array(z.string().max(64)).max(1000).nullable().optional()
const id = z.string().max(64)

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

const auditShape = z.object({
  id: z.string(),
  at: instant,
  actor: z.object({ kind: z.enum(['operator', 'system', 'cli']), id: z.string().nullable(), label: z.string() }),
  action: z.string(),
  target: z.object({ kind: z.string(), id: z.string().nullable(), label: z.string().nullable() }).nullable(),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  ip: z.string().nullable(),
})

const targetIds = {
  app: 'app',
  user: 'usr',
  session: 'ses',
  operator: 'op',
  api_key: 'key',
  operator_token: 'opt',
} as const

function showAudit(runtime: Runtime, row: AuditRow): z.infer<typeof auditShape> {
  const { ids } = runtime.vault
  const prefix = targetIds[row.targetKind as keyof typeof targetIds]
  const read = (json: string | null) => (json === null ? null : (JSON.parse(json) as Record<string, unknown>))
  return {
    id: ids.seal('aud', row.id),
    at: row.at.toISOString(),
    actor: {
      kind: row.actorKind,
      id: row.actorId === null ? null : ids.seal('op', row.actorId),
      label: row.actorLabel,
    },
    action: row.action,
    target:
      row.targetKind === null
        ? null
        : {
            kind: row.targetKind,
            id: prefix && row.targetId !== null ? ids.seal(prefix, row.targetId) : null,
            label: row.targetLabel,
          },
    before: read(row.before),
    after: read(row.after),
    ip: row.ip,
  }
}

export const auditRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/audit', 'Audit log', 'Who did what, when and from where, newest first'))
    .input(
      z.object({
        ...pageInput,
        actor: z.string().max(254).optional().describe('Part of the e-mail address'),
        action: z.string().max(60).optional().describe('A whole action, or session.* for all that begin so'),
        target: z.string().max(64).optional().describe('The id of what was changed'),
        from: instantInput.optional(),
        to: instantInput.optional(),
      }),
    )
    .output(countedPageOf(auditShape))
    .query(async ({ ctx, input }) => {
      const place = placeOf(input)
      const target = input.target === undefined ? undefined : findTarget(ctx.runtime, input.target)
      if (target === 'unknown') return { items: [], nextCursor: null, total: 0 }
      const { limit, cursor: _, sort: __, ...asked } = input
      const filter = { ...asked, target, only: ctx.operator.appIds }
      const [rows, total] = await Promise.all([
        listAudit(ctx.runtime.db, { ...filter, ...place, limit: limit + 1 }),
        countAudit(ctx.runtime.db, filter, MOST_COUNTED),
      ])
      const listed = page(
        rows,
        limit,
        (row) => showAudit(ctx.runtime, row),
        (row) => [row.id],
      )
      return { ...listed, total }
    }),

  verify: procedure('view')
    .meta(rest('GET', '/audit/verify', 'Audit log', 'Check that no entry was changed or removed'))
    .input(z.object({}))
    .output(z.object({ ok: z.boolean(), entries: z.number(), brokenAt: z.string().nullable() }))
    .query(async ({ ctx }) => {
      assertSeesAll(ctx.operator)
      const { ok, entries, brokenAt } = await verifyAudit(ctx.runtime.db)
      return { ok, entries, brokenAt: brokenAt === undefined ? null : ctx.runtime.vault.ids.seal('aud', brokenAt) }
    }),
})

function findTarget(runtime: Runtime, target: string): { kind: string; id: number } | 'unknown' {
  for (const [kind, prefix] of Object.entries(targetIds)) {
    const row = runtime.vault.ids.parse(prefix, target)
    if (row !== undefined) return { kind, id: row }
  }
  return 'unknown'
}
