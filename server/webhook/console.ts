import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { seenApp } from '#server/app/seenApp.ts'
import { inOrder, instantInput, pageInput, pageOf, shortPage, shortPageInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { explainOutcome } from '#server/delivery/explain.ts'
import { replayMany } from '#server/delivery/replay.ts'
import { AppError } from '#server/error.ts'
import { jsonObject } from '#server/event/jsonObject.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { changeEndpoint, createEndpoint, removeEndpoint, rotateSecret } from './change.ts'
import { explainSignature, readHeaders } from './explainSignature.ts'
import { endpointPatch, newEndpoint } from './settings.ts'
import { endpointShape, showEndpoints } from './show.ts'
import { findEndpoint, listEndpoints, type EndpointRow } from './store.ts'
import { tryOut } from './tryOut.ts'

const id = z.string().max(64)
const withSecret = endpointShape.extend({ secret: z.string().describe('whsec_…, shown this once') })

async function getEndpoint(runtime: Runtime, app: App, text: string): Promise<EndpointRow> {
  const number = runtime.vault.ids.parse('whe', text)
  const row = number === undefined ? undefined : await findEndpoint(runtime.db, number)
  if (!row || row.appId !== app.id) throw new AppError('not_found', 'This app has no such endpoint')
  return row
}

const show = async (runtime: Runtime, row: EndpointRow) => (await showEndpoints(runtime, [row]))[0]!

export const webhooksRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/apps/{appId}/webhooks', 'Webhooks', "An app's endpoints, with how they do"))
    .input(z.object({ ...shortPageInput, sort: pageInput.sort, appId: id }))
    .output(pageOf(endpointShape))
    .query(async ({ ctx, input }) => {
      const app = await seenApp(ctx.runtime, ctx.operator, input.appId)
      const rows = await listEndpoints(ctx.runtime.db, app.id)
      const { items, nextCursor } = shortPage(inOrder(rows, input.sort, 'createdAt'), input)
      return { items: await showEndpoints(ctx.runtime, items), nextCursor }
    }),

  get: procedure('view')
    .meta(rest('GET', '/apps/{appId}/webhooks/{webhookId}', 'Webhooks', 'One endpoint, with how it does'))
    .input(z.object({ appId: id, webhookId: id }))
    .output(endpointShape)
    .query(async ({ ctx, input }) => {
      const app = await seenApp(ctx.runtime, ctx.operator, input.appId)
      return show(ctx.runtime, await getEndpoint(ctx.runtime, app, input.webhookId))
    }),

  create: procedure('manage')
    .meta(rest('POST', '/apps/{appId}/webhooks', 'Webhooks', 'Make an endpoint; its signing secret is shown once'))
    .input(newEndpoint.extend({ appId: id }))
    .output(withSecret)
    .mutation(async ({ ctx, input }) => {
      const { appId, ...endpoint } = input
      const app = await seenApp(ctx.runtime, ctx.operator, appId)
      const { row, secret } = await createEndpoint(ctx.runtime, ctx.actor, app, endpoint)
      return { ...(await show(ctx.runtime, row)), secret }
    }),

  update: procedure('manage')
    .meta(
      rest(
        'PATCH',
        '/apps/{appId}/webhooks/{webhookId}',
        'Webhooks',
        'Change an endpoint, pause it, or switch it on again and send what was held',
      ),
    )
    .input(endpointPatch.extend({ appId: id, webhookId: id }))
    .output(endpointShape)
    .mutation(async ({ ctx, input }) => {
      const { appId, webhookId, ...patch } = input
      const app = await seenApp(ctx.runtime, ctx.operator, appId)
      const { id } = await getEndpoint(ctx.runtime, app, webhookId)
      return show(ctx.runtime, await changeEndpoint(ctx.runtime, ctx.actor, app, id, patch))
    }),

  delete: procedure('manage')
    .meta(rest('DELETE', '/apps/{appId}/webhooks/{webhookId}', 'Webhooks', 'Remove an endpoint; its log stays'))
    .input(z.strictObject({ appId: id, webhookId: id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const app = await seenApp(ctx.runtime, ctx.operator, input.appId)
      const { id } = await getEndpoint(ctx.runtime, app, input.webhookId)
      await removeEndpoint(ctx.runtime, ctx.actor, app, id)
    }),

  rotateSecret: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/webhooks/{webhookId}/rotate-secret',
        'Webhooks',
        'A new signing secret; the old one signs along for a day, or as long as you say',
      ),
    )
    .input(
      z.strictObject({
        appId: id,
        webhookId: id,
        overlapSeconds: z.number().int().min(0).max(604_800).default(86_400),
      }),
    )
    .output(withSecret)
    .mutation(async ({ ctx, input }) => {
      const app = await seenApp(ctx.runtime, ctx.operator, input.appId)
      const { id } = await getEndpoint(ctx.runtime, app, input.webhookId)
      const { row, secret } = await rotateSecret(ctx.runtime, ctx.actor, app, id, input.overlapSeconds)
      return { ...(await show(ctx.runtime, row)), secret }
    }),

  test: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/webhooks/{webhookId}/test',
        'Webhooks',
        'Send a test event at once and see what the endpoint answers; without content the sample of its type',
      ),
    )
    .input(
      z.strictObject({
        appId: id,
        webhookId: id,
        type: z.string().max(100).default('txn.sent'),
        user: z.string().min(1).max(255).default('987654321'),
        content: jsonObject.optional(),
      }),
    )
    .output(
      z.object({
        notificationId: z.string(),
        delivered: z.boolean(),
        outcome: z.string(),
        status: z.number().nullable(),
        durationMs: z.number(),
        explanation: z.string(),
      }),
    )
    .mutation(async ({ ctx, input }) => {
      const { runtime } = ctx
      const app = await seenApp(runtime, ctx.operator, input.appId)
      const row = await getEndpoint(runtime, app, input.webhookId)
      const { eventId, attempt } = await tryOut(runtime, app, row, input)
      return {
        notificationId: runtime.vault.ids.seal('evt', eventId),
        delivered: attempt.outcome === 'ok',
        outcome: attempt.outcome,
        status: attempt.status ?? null,
        durationMs: Math.round(attempt.durationMs),
        explanation: explainOutcome(attempt.outcome, attempt.status),
      }
    }),

  replay: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/webhooks/{webhookId}/replay',
        'Webhooks',
        'Send an endpoint again what it got, or missed: up to 10,000 deliveries of a time and status',
      ),
    )
    .input(
      z.strictObject({
        appId: id,
        webhookId: id,
        status: z.enum(['dead', 'held', 'delivered']).default('dead'),
        type: z.string().max(100).optional(),
        from: instantInput.optional(),
        to: instantInput.optional(),
      }),
    )
    .output(z.object({ replayed: z.number() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const app = await seenApp(runtime, ctx.operator, input.appId)
      const row = await getEndpoint(runtime, app, input.webhookId)
      const { status, type, from, to } = input
      const filter = { appId: app.id, endpointId: row.id, channel: 'webhook' as const, status, type, from, to }
      const replayed = await replayMany(runtime, filter)
      await runtime.db.transaction((tx) =>
        recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'webhook.replay',
          appId: app.id,
          target: { kind: 'webhook', id: row.id, label: row.url },
          after: { status, type, from, to, replayed },
        }),
      )
      return { replayed }
    }),

  checkSignature: procedure('view')
    .meta(
      rest(
        'POST',
        '/webhooks/check-signature',
        'Webhooks',
        'Why is my signature refused? Checks headers, body and secret as a receiver does; keeps none of them',
      ),
    )
    .input(
      z.strictObject({
        headers: z.string().max(20_000).describe('As received, one a line'),
        body: z.string().max(200_000),
        secret: z.string().trim().max(500).describe('whsec_…, or whpk_… for v1a'),
        at: instantInput.optional().describe('Judge as of this time instead of now'),
      }),
    )
    .output(
      z.object({
        valid: z.boolean(),
        reason: z.string().optional(),
        checks: z.array(z.object({ check: z.string(), ok: z.boolean(), detail: z.string() })),
      }),
    )
    .mutation(({ ctx, input }) => {
      const { body, secret, at = ctx.runtime.now() } = input
      return explainSignature({ headers: readHeaders(input.headers), body }, secret, { now: at })
    }),
})
