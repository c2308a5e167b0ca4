import * as z from 'zod'
import { listAllApps } from '#server/app/store.ts'
import {
  instant,
  instantInput,
  MOST_COUNTED,
  pageInput,
  placeOf,
  readCursor,
  writeCursor,
} from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { groups } from '#server/event/catalogue.ts'
import { readPayload } from '#server/event/payload.ts'
import { subjectKey } from '#server/event/subject.ts'
import { resolveSearch } from '#server/identity/search.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { findText, MOST_OPENED } from './findText.ts'
import { describeEvent, showDelivery, statuses, type Status } from './describe.ts'
import { countLog, deliveriesOf, findListed, lastEvent, listLog, type LogFilter, type LogRow } from './logStore.ts'
import { MOST_REPLAYED, replayMany, replayThese } from './replay.ts'

const id = z.string().max(64)
const channels = ['webhook', 'inbox', 'telegram', 'email'] as const

const filterInput = {
  appId: id.optional(),
  type: z.string().max(100).optional(),
  user: z.string().trim().max(255).optional().describe('Our user id, or whom the app said it is about'),
  status: z.enum(statuses).optional(),
  channel: z.enum(channels).optional(),
  endpointId: id.optional(),
  q: z
    .string()
    .trim()
    .max(200)
    .optional()
    .describe(
      `An event id, a user id, a Telegram id, @username, wallet address, e-mail address, the user as the app named them, or words of what was told, among the newest ${MOST_OPENED.toLocaleString('en')} that meet the rest of the filter`,
    ),
  from: instantInput.optional(),
  to: instantInput.optional(),
}
const filterShape = z.strictObject(filterInput)

const deliveryShape = z.object({
  id: z.string(),
  channel: z.enum(channels),
  endpoint: z.object({ id: z.string(), url: z.string().nullable() }).nullable(),
  status: z.enum(statuses),
  tries: z.number(),
  nextAttemptAt: instant.nullable(),
  finishedAt: instant.nullable(),
  reason: z.string().nullable(),
  explanation: z.string().nullable(),
})

export const notificationItem = z.object({
  id: z.string(),
  app: z.object({ id: z.string(), name: z.string() }),
  type: z.string(),
  user: z.string(),
  userId: z.string().nullable(),
  title: z.string(),
  body: z.string(),
  source: z.enum(['api', 'system', 'test']),
  createdAt: instant,
  status: z.enum([...statuses, 'none']).describe('The one that needs most attention among its deliveries'),
  deliveries: z.array(deliveryShape),
})
export type NotificationItem = z.infer<typeof notificationItem>

const attemptShape = z.object({
  number: z.number(),
  at: instant,
  outcome: z.string(),
  status: z.number().nullable(),
  explanation: z.string(),
  error: z.string().nullable(),
  durationMs: z.number(),
  timings: z
    .record(z.string(), z.number().nullable())
    .nullable()
    .describe('Milliseconds: dns, connect, tls, firstByte'),
  address: z.string().nullable(),
  request: z
    .object({
      method: z.literal('POST'),
      url: z.string(),
      headers: z.record(z.string(), z.string()),
      body: z.string().describe('The bytes of this try'),
      signedContent: z.string().describe('What the signature is computed over'),
    })
    .nullable(),
  logoutToken: z
    .object({
      header: z.record(z.string(), z.unknown()),
      claims: z.record(z.string(), z.unknown()),
      checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    })
    .nullable()
    .describe('The logout token of this try, taken apart and judged as its receiver has to'),
  response: z
    .object({ headers: z.record(z.string(), z.string()), body: z.string(), truncated: z.boolean() })
    .nullable(),
})

/** What needs most attention comes first. */
const urgency: Status[] = ['dead', 'held', 'retrying', 'pending', 'sending', 'delivered', 'skipped']

async function showRows(runtime: Runtime, rows: LogRow[]): Promise<NotificationItem[]> {
  const { vault, db } = runtime
  const owed = Map.groupBy(
    await deliveriesOf(
      db,
      rows.map((row) => row.id),
    ),
    ({ delivery }) => delivery.eventId,
  )
  const show = async (row: LogRow): Promise<NotificationItem> => {
    const { user, title, body } = readPayload(await openPersonal(runtime, db, row.payloadSealed, 'events.payload'))
    const deliveries = (owed.get(row.id) ?? []).map((one) => showDelivery(runtime, one))
    return {
      id: vault.ids.seal('evt', row.id),
      app: { id: vault.ids.seal('app', row.appId), name: row.appName },
      type: row.type,
      user,
      userId: row.userId === null ? null : vault.ids.seal('usr', row.userId),
      title,
      body,
      source: row.source,
      createdAt: row.createdAt.toISOString(),
      status: urgency.find((status) => deliveries.some((one) => one.status === status)) ?? 'none',
      deliveries,
    }
  }
  return Promise.all(rows.map(show))
}

/** A filter from outside in the store's terms: ids opened, people found under every name they go by. */
async function readFilter(
  runtime: Runtime,
  operator: Operator,
  input: z.infer<typeof filterShape>,
): Promise<LogFilter> {
  const { ids } = runtime.vault
  const { appId, endpointId, user, q, ...plain } = input
  const number = (kind: 'app' | 'whe', text: string | undefined) =>
    text === undefined ? undefined : (ids.parse(kind, text) ?? -1)
  const filter = {
    ...plain,
    appId: number('app', appId),
    endpointId: number('whe', endpointId),
    only: operator.appIds,
  }
  return { ...filter, match: await readMatch(runtime, filter, { user, q }) }
}

/** Whom or what a text of the filter means: an event's id, a person under any name they go by, else words of what was told. */
async function readMatch(
  runtime: Runtime,
  filter: LogFilter,
  { user, q }: { user: string | undefined; q: string | undefined },
): Promise<LogFilter['match']> {
  const text = q ?? user
  if (!text) return undefined
  const { ids } = runtime.vault
  const event = q === undefined ? undefined : ids.parse('evt', q)
  if (event !== undefined) return { eventIds: [event], subjectKeys: [], userIds: [] }
  const apps =
    filter.appId === undefined ? (filter.only ?? (await listAllApps(runtime.db)).map(({ id }) => id)) : [filter.appId]
  const subjectKeys = apps.slice(0, 200).map((appId) => subjectKey(runtime, appId, text))
  const own = ids.parse('usr', text)
  if (own !== undefined || q === undefined)
    return { eventIds: [], subjectKeys, userIds: own === undefined ? [] : [own] }
  const found = await resolveSearch(runtime, q)
  const userIds = found?.userIds ?? []
  return { eventIds: userIds.length > 0 ? [] : await findText(runtime, filter, q), subjectKeys, userIds }
}

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
