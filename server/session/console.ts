import * as z from 'zod'
import { appAt, type App } from '#server/app/app.ts'
import { instant, instantInput, MOST_COUNTED, page, pageInput, pageOf, readCursor } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { userLabel } from '#server/identity/label.ts'
import { resolveSearch } from '#server/identity/search.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { explainEnd } from './ended.ts'
import { selectionOf, type SessionFilter } from './filterStore.ts'
import { countSessions, findListedSession, listSessions, type ListedSession } from './listStore.ts'
import { revokeMany, revokeSession } from './revoke.ts'
import { addressText } from '#server/http/network.ts'
import { describeAgent } from '#server/origin/agent.ts'
import { deviceKind, deviceKinds, deviceNumber, UNKNOWN } from '#server/origin/device.ts'
import { endReasons, idleExpiry, timedOut } from './session.ts'
import { withIds } from './store.ts'
import { timelineOf } from './timeline.ts'

const methods = ['telegram', 'ton', 'sso'] as const
const id = z.string().max(64)

export const sessionItem = z.object({
  id: z.string(),
  app: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), label: z.string() }),
  method: z.enum(methods),
  status: z.enum(['active', 'ended']),
  ip: z.string().nullable(),
  device: z.string().nullable().describe('What the device calls itself (its User-Agent)'),
  deviceKind: z.enum(deviceKinds),
  country: z.string().nullable().describe('ISO 3166-1 alpha-2; null where nobody knows'),
  createdAt: instant,
  lastActiveAt: instant,
  idleExpiresAt: instant,
  expiresAt: instant,
  endedAt: instant.nullable(),
  endReason: z.enum(endReasons).nullable(),
})
export type SessionItem = z.infer<typeof sessionItem>

const said = z.string().nullable()
const countryInput = z
  .string()
  .regex(/^([A-Za-z]{2}|unknown)$/, 'must be two letters such as DE (ISO 3166-1 alpha-2), or unknown')

const filterInput = {
  appId: id.optional(),
  userId: id.optional(),
  status: z.enum(['active', 'ended']).optional(),
  reason: z.enum(endReasons).optional(),
  method: z.enum(methods).optional(),
  device: z.enum(deviceKinds).optional().describe('What kind of device it was opened on'),
  country: countryInput
    .optional()
    .describe('Where the address was at sign-in: a country such as DE (ISO 3166-1 alpha-2), or unknown'),
  ip: z
    .string()
    .max(49)
    .optional()
    .describe('An address, a network such as 203.0.113.0/24, or the beginning of an address (203.0.113.)'),
  q: z
    .string()
    .trim()
    .max(200)
    .optional()
    .describe(
      'A session or user id, Telegram id, @username, wallet address, e-mail address, SSO subject, IP address or network',
    ),
  createdFrom: instantInput.optional(),
  createdTo: instantInput.optional(),
  activeFrom: instantInput.optional(),
  activeTo: instantInput.optional(),
  endedFrom: instantInput.optional(),
  endedTo: instantInput.optional(),
}
const filterShape = z.strictObject(filterInput)

/** Where a page begins: id, milliseconds and minute of the last use, each no larger than its column holds. */
const position = z.tuple([z.int(), z.int().min(0).max(Date.UTC(9999, 0)), z.int32().min(0)])

/** One session as the console lists it. */
export async function showSession(runtime: Runtime, row: ListedSession): Promise<SessionItem> {
  const { ids } = runtime.vault
  const { session } = row
  const app = (await appAt(runtime, row.app.id, row.app.version)) as App
  const { idleTimeout } = app.settings.sessionPolicy
  const over = session.endedAt ? undefined : timedOut(runtime, session, idleTimeout, runtime.now())
  return {
    id: ids.seal('ses', session.id),
    app: { id: ids.seal('app', row.app.id), name: row.app.name },
    user: {
      id: ids.seal('usr', session.userId),
      label: await userLabel(runtime, session.appId, row.userProfile, row.subject),
    },
    method: session.method,
    status: session.endedAt || over ? 'ended' : 'active',
    ip: session.ip,
    device: session.userAgent,
    deviceKind: deviceKind(session.device),
    country: session.country,
    createdAt: session.createdAt.toISOString(),
    lastActiveAt: new Date(runtime.activity.lastActiveAt(session)).toISOString(),
    idleExpiresAt: idleExpiry(runtime, session, idleTimeout).toISOString(),
    expiresAt: session.expiresAt.toISOString(),
    endedAt: (session.endedAt ?? over?.at)?.toISOString() ?? null,
    endReason: (session.endReason as SessionItem['endReason']) ?? over?.reason ?? null,
  }
}

/** A filter from outside in the store's terms: ids opened, the search text understood. */
async function readFilter(
  runtime: Runtime,
  operator: Operator,
  input: z.infer<typeof filterShape>,
): Promise<SessionFilter> {
  const { appId, userId, q, ip, device, country, ...plain } = input
  const network = ip ? addressText(ip) : undefined
  if (ip && !network)
    throw new AppError('invalid_request', 'The input does not fit; see errors', {
      errors: [{ path: 'ip', message: 'must be an address, a network such as 203.0.113.0/24, or how addresses begin' }],
    })
  const found = q ? await resolveSearch(runtime, q) : undefined
  const number = (kind: 'app' | 'usr', text: string | undefined) =>
    text === undefined ? undefined : (runtime.vault.ids.parse(kind, text) ?? -1)
  return {
    ...plain,
    appId: number('app', appId),
    userId: number('usr', userId),
    ip: network,
    device: device && deviceNumber(device),
    country: country === UNKNOWN ? null : country?.toUpperCase(),
    match: found && { ...found, ip: q ? addressText(q) : undefined },
    only: operator.appIds,
  }
}

async function getSession(runtime: Runtime, operator: Operator, id: string): Promise<ListedSession> {
  const number = runtime.vault.ids.parse('ses', id)
  const row = number === undefined ? undefined : await findListedSession(runtime.db, number)
  if (!row) throw new AppError('not_found', 'There is no such session')
  assertSees(operator, row.app.id)
  return row
}

export const sessionsRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/sessions', 'Sessions', 'List sessions'))
    .input(
      z.object({
        ...pageInput,
        ...filterInput,
        sort: z.enum(['-createdAt', 'createdAt', '-lastActiveAt', 'lastActiveAt']).default('-createdAt'),
      }),
    )
    .output(pageOf(sessionItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const { limit, cursor, sort, ...filter } = input
      const after = readCursor(position, cursor)
      const read = await readFilter(runtime, ctx.operator, filter)
      const { where, alongOrder } = await selectionOf(runtime.db, read, runtime.now(), sort)
      const rows = await listSessions(runtime.db, where, {
        sort,
        after: after && { id: after[0], lastActiveAt: new Date(after[1]), activeSlot: after[2] },
        limit: limit + 1,
        alongOrder,
      })
      const listed = page(
        rows,
        limit,
        (row) => row,
        ({ session }) => [session.id, session.lastActiveAt.getTime(), session.activeSlot],
      )
      return {
        items: await Promise.all(listed.items.map((row) => showSession(runtime, row))),
        nextCursor: listed.nextCursor,
      }
    }),

  count: procedure('view')
    .meta(rest('GET', '/sessions/count', 'Sessions', 'Count the sessions that match, up to 10,000'))
    .input(z.object(filterInput))
    .output(z.object({ count: z.number(), users: z.number(), capped: z.boolean() }))
    .query(async ({ ctx, input }) => {
      const filter = await readFilter(ctx.runtime, ctx.operator, input)
      const { where } = await selectionOf(ctx.runtime.db, filter, ctx.runtime.now())
      const { count, users } = await countSessions(ctx.runtime.db, where, MOST_COUNTED)
      return { count, users, capped: count >= MOST_COUNTED }
    }),

  get: procedure('view')
    .meta(rest('GET', '/sessions/{id}', 'Sessions', 'One session, and what happened to it'))
    .input(z.object({ id }))
    .output(
      z.object({
        session: sessionItem.extend({
          endedBy: z.string().nullable(),
          explanation: z.string().nullable(),
          agent: z.object({ browser: said, os: said, model: said }).describe('The User-Agent taken apart'),
        }),
        timeline: z.array(
          z.object({
            at: instant,
            kind: z.string(),
            text: z.string(),
            detail: z.string().nullable(),
            sessionId: z.string().nullable(),
          }),
        ),
      }),
    )
    .query(async ({ ctx, input }) => {
      const row = await getSession(ctx.runtime, ctx.operator, input.id)
      const item = await showSession(ctx.runtime, row)
      return {
        session: {
          ...item,
          endedBy: row.session.endedBy,
          explanation: item.endReason === null ? null : explainEnd(item.endReason),
          agent: await describeAgent(item.device),
        },
        timeline: await timelineOf(ctx.runtime, row.session, item),
      }
    }),

  revoke: procedure('support')
    .meta(
      rest('POST', '/sessions/{id}/revoke', 'Sessions', 'End a session; its tokens are refused from the next call on'),
    )
    .input(z.strictObject({ id, reason: z.string().trim().max(200).optional() }))
    .output(z.object({ revoked: z.number() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const row = await getSession(runtime, ctx.operator, input.id)
      const revoked = await revokeSession(
        runtime,
        row.session.id,
        { reason: 'revoked_by_operator', by: actor.label },
        async (tx) => {
          await recordAudit(tx, {
            at: runtime.now(),
            actor,
            action: 'session.revoke',
            appId: row.app.id,
            target: { kind: 'session', id: row.session.id },
            ...(input.reason && { after: { reason: input.reason } }),
          })
        },
      )
      return { revoked: revoked ? 1 : 0 }
    }),

  revokeMany: procedure('support')
    .meta(
      rest('POST', '/sessions/revoke', 'Sessions', 'End many sessions: these, or all live ones that match a filter'),
    )
    .input(
      z
        .strictObject({
          ids: z.array(id).min(1).max(500).optional(),
          filter: filterShape.optional(),
          expectedCount: z
            .number()
            .int()
            .min(0)
            .optional()
            .describe('What was counted before: refused when it has moved by more than 5 %'),
          reason: z.string().trim().max(200).optional(),
        })
        .refine((input) => (input.ids === undefined) !== (input.filter === undefined), 'give either ids or filter'),
    )
    .output(z.object({ revoked: z.number() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor, operator } = ctx
      const now = runtime.now()
      const filter: SessionFilter = {
        ...(input.filter ? await readFilter(runtime, operator, input.filter) : { only: operator.appIds }),
        status: 'active',
      }
      const chosen = input.ids?.map((text) => runtime.vault.ids.parse('ses', text) ?? -1)
      const { where } = await selectionOf(runtime.db, filter, now)
      if (input.expectedCount !== undefined) {
        const { count } = await countSessions(runtime.db, where, Math.max(MOST_COUNTED, input.expectedCount * 2))
        const moved = Math.abs(count - input.expectedCount)
        if (count < MOST_COUNTED && moved > Math.max(1, input.expectedCount * 0.05)) {
          throw new AppError(
            'conflict',
            `${count} sessions match now, not ${input.expectedCount}; look again before you end them`,
            { details: { count } },
          )
        }
      }
      const end = { reason: 'revoked_by_operator', by: actor.label } as const
      // Written with what it tells of, so that neither is there without the other whenever the process ends.
      const revoked = await revokeMany(runtime, chosen ? [where, withIds(chosen)] : [where], end, (tx, ended) =>
        recordAudit(tx, {
          at: now,
          actor,
          action: 'session.revoke_many',
          ...(filter.appId !== undefined && filter.appId > 0 && { appId: filter.appId }),
          after: {
            revoked: ended,
            ...(input.ids ? { ids: input.ids } : { filter: input.filter }),
            ...(input.reason && { reason: input.reason }),
          },
        }),
      )
      return { revoked }
    }),
})
