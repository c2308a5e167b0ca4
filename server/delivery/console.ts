import * as z from 'zod'
import { MOST_COUNTED, pageInput, placeOf, readCursor, writeCursor } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { groups } from '#server/event/catalogue.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { describeEvent } from './describe.ts'
import { countLog, deliveriesOf, findListed, lastEvent, listLog, type LogRow } from './logStore.ts'
import { readFilter } from './readFilter.ts'
import { MOST_REPLAYED, replayMany, replayThese } from './replay.ts'
import { attemptShape, deliveryShape, filterInput, filterShape, id, notificationItem } from './shapes.ts'
import { showRows } from './showRows.ts'

async function getRow(runtime: Runtime, operator: Operator, text: string): Promise<LogRow> {
  const number = runtime.vault.ids.parse('evt', text)
  const row = number === undefined ? undefined : await findListed(runtime.db, number)
  if (!row) throw new AppError('not_found', 'There is no such notification')
  assertSees(operator, row.appId)
  return row
}

export const notificationsRouter = router({
  list: procedure('view')
    .meta(
      rest(
        'GET',
        '/notifications',
        'Notifications',
        'The log: events with everything owed because of them, newest first unless it is sorted otherwise',
      ),
    )
    .input(z.object({ ...pageInput, ...filterInput }))
    .output(z.object({ items: z.array(notificationItem), nextCursor: z.string().nullable() }))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const { limit, cursor, sort, ...filter } = input
      const { newestFirst, beyond } = placeOf({ cursor, sort })
      const found = await listLog(runtime.db, await readFilter(runtime, ctx.operator, filter), {
        ...(newestFirst ? { before: beyond } : { after: beyond ?? 0 }),
        limit: limit + 1,
      })
      const rows = found.rows.slice(0, limit)
      const next = found.rows.length > limit ? rows.at(-1)!.id : found.seenTo
      return {
        items: await showRows(runtime, rows),
        nextCursor: next === undefined ? null : writeCursor([next]),
      }
    }),

  tail: procedure('view')
    .meta(
      rest(
        'GET',
        '/notifications/tail',
        'Notifications',
        'What came since the last call, oldest first; the first call says only where to begin',
      ),
    )
    .input(z.object({ cursor: z.string().max(500).optional(), ...filterInput }))
    .output(z.object({ items: z.array(notificationItem), cursor: z.string() }))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const { cursor, ...filter } = input
      const after = readCursor(z.tuple([z.number().int()]), cursor)?.[0]
      if (after === undefined) return { items: [], cursor: writeCursor([await lastEvent(runtime.db)]) }
      const found = await listLog(runtime.db, await readFilter(runtime, ctx.operator, filter), { after, limit: 100 })
      const seen = found.rows.at(-1)?.id ?? after
      return { items: await showRows(runtime, found.rows), cursor: writeCursor([Math.max(seen, found.seenTo ?? 0)]) }
    }),

  count: procedure('view')
    .meta(rest('GET', '/notifications/count', 'Notifications', 'How many deliveries match, counted up to 10,000'))
    .input(z.object(filterInput))
    .output(
      z.object({
        count: z.number(),
        capped: z.boolean(),
        replayable: z
          .number()
          .describe(
            'How many of them can be sent again: not what is in inboxes, what an endpoint that is gone was owed, nor mails that are on their way or were never written. Mails that the person has stopped since are left out when it is done',
          ),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { db } = ctx.runtime
      const filter = await readFilter(ctx.runtime, ctx.operator, input)
      const [count, replayable] = await Promise.all([
        countLog(db, filter, MOST_COUNTED),
        countLog(db, { ...filter, replayable: true }, MOST_COUNTED),
      ])
      return { count, capped: count >= MOST_COUNTED, replayable }
    }),

  get: procedure('view')
    .meta(
      rest(
        'GET',
        '/notifications/{id}',
        'Notifications',
        'One event: its payload, each delivery, each try with request, answer, timings and why it failed',
      ),
    )
    .input(z.object({ id }))
    .output(
      z.object({
        notification: notificationItem,
        group: z.enum(groups),
        data: z.object({ op: z.string(), time: z.string(), content: z.unknown() }),
        deliveries: z.array(
          deliveryShape.extend({
            seq: z.number().nullable(),
            emailId: z.string().nullable().describe('The mail that this is, under Mails'),
            payload: z.string().describe('The bytes as they are sent; of a logout token, the event that it is made of'),
            logout: z.boolean().describe('Goes out as an OpenID Connect logout token'),
            attempts: z.array(attemptShape),
          }),
        ),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const row = await getRow(runtime, ctx.operator, input.id)
      const [item] = await showRows(runtime, [row])
      const { group, data, deliveries } = await describeEvent(runtime, row)
      return { notification: item!, group, data, deliveries }
    }),

  replay: procedure('support')
    .meta(rest('POST', '/notifications/{id}/replay', 'Notifications', 'Send one event again, on one delivery or all'))
    .input(z.strictObject({ id, deliveryId: id.optional() }))
    .output(z.object({ replayed: z.number() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const row = await getRow(runtime, ctx.operator, input.id)
      const owed = await deliveriesOf(runtime.db, [row.id])
      const chosen =
        input.deliveryId === undefined ? undefined : (runtime.vault.ids.parse('dlv', input.deliveryId) ?? -1)
      const ids = owed.map(({ delivery }) => delivery.id).filter((id) => chosen === undefined || id === chosen)
      if (ids.length === 0) throw new AppError('not_found', 'This notification has no such delivery')
      const replayed = await replayThese(runtime, ids)
      await runtime.db.transaction((tx) =>
        recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'notification.replay',
          appId: row.appId,
          target: { kind: 'notification', id: row.id },
          after: { replayed },
        }),
      )
      return { replayed }
    }),

  replayMany: procedure('support')
    .meta(
      rest(
        'POST',
        '/notifications/replay',
        'Notifications',
        `Send again all deliveries that match, up to ${MOST_REPLAYED.toLocaleString('en')}; count first`,
      ),
    )
    .input(
      z.strictObject({
        filter: filterShape,
        expectedCount: z
          .number()
          .int()
          .min(0)
          .optional()
          .describe('What was counted as replayable before: refused when it has moved by more than 5 %'),
      }),
    )
    .output(z.object({ replayed: z.number() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor, operator } = ctx
      const filter = await readFilter(runtime, operator, input.filter)
      if (input.expectedCount !== undefined) {
        const count = await countLog(
          runtime.db,
          { ...filter, replayable: true },
          Math.max(MOST_COUNTED, input.expectedCount * 2),
        )
        if (Math.abs(count - input.expectedCount) > Math.max(1, input.expectedCount * 0.05))
          throw new AppError(
            'conflict',
            `${count} deliveries can be sent again now, not ${input.expectedCount}; look again`,
            {
              details: { count },
            },
          )
      }
      const replayed = await replayMany(runtime, filter)
      await runtime.db.transaction((tx) =>
        recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'notification.replay',
          ...(filter.appId !== undefined && { appId: filter.appId }),
          after: { filter: input.filter, replayed },
        }),
      )
      return { replayed }
    }),
})
