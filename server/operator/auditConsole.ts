import * as z from 'zod'
import { countedPageOf, instant, instantInput, MOST_COUNTED, page, pageInput, placeOf } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import type { Runtime } from '#server/runtime.ts'
import { verifyAudit } from './audit.ts'
import { assertSeesAll } from './operator.ts'
import { countAudit, listAudit, type AuditRow } from './store.ts'

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
