import * as z from 'zod'
import { countedPageOf, instant, instantInput, MOST_COUNTED, page, pageInput, placeOf } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { sessionItem, showSession } from '#server/session/console.ts'
import { sessionsWhere } from '#server/session/filterStore.ts'
import { listSessions } from '#server/session/listStore.ts'
import { describeSignature } from '#server/signature/describe.ts'
import { blockUser, unblockUser } from './block.ts'
import { changeProfile, profileChange } from './changeProfile.ts'
import { eraseUser } from './erase.ts'
import { openDetails, openProfile, openSubject } from './findOrCreate.ts'
import { userLabel } from './label.ts'
import { resolveSearch } from './search.ts'
import { shownAddress } from './shownAddress.ts'
import { countUsers, describeUsers, listUsers, type ListedUser } from './searchStore.ts'
import { findUser, listIdentities, type IdentityRow } from './store.ts'

const id = z.string().max(64)
const kinds = z.enum(['telegram', 'ton', 'sso'])

const identityItem = z.object({
  id: z.string(),
  kind: kinds,
  subject: z.string(),
  friendly: z.string().nullable().describe('A TON address as wallets show it'),
  createdAt: instant,
  details: z.record(z.string(), z.unknown()),
})

const profileShape = z.object({
  name: z.string().optional(),
  username: z.string().optional(),
  email: z.string().optional(),
  language: z.string().optional(),
  photoUrl: z.string().optional(),
})

const signatureItem = z.object({
  set: z.boolean(),
  changedAt: instant.nullable(),
  email: z.string().nullable().describe('Where mails about it go'),
  recoveryQuestions: z.number().describe('How many; the questions are for the person alone'),
  lockedUntil: instant.nullable(),
  resetLockedUntil: instant.nullable(),
})

const userItem = z.object({
  id: z.string(),
  app: z.object({ id: z.string(), name: z.string() }),
  label: z.string(),
  createdAt: instant,
  lastSignInAt: instant.nullable(),
  blocked: z.boolean(),
  identities: z.array(z.object({ kind: kinds, subject: z.string() })),
  liveSessions: z.number(),
})

async function showIdentity(runtime: Runtime, row: IdentityRow): Promise<z.infer<typeof identityItem>> {
  const { db, vault } = runtime
  const subject = await openSubject(runtime, db, row.subjectSealed)
  const { profile, details } = await openDetails(runtime, db, row.detailsSealed)
  return {
    id: vault.ids.seal('idn', row.id),
    kind: row.kind,
    subject,
    friendly: row.kind === 'ton' ? await shownAddress(runtime, row.appId, subject, details['network']) : null,
    createdAt: row.createdAt.toISOString(),
    details: row.detailsSealed ? { ...details, profile } : {},
  }
}

async function showUsers(runtime: Runtime, rows: ListedUser[]): Promise<z.infer<typeof userItem>[]> {
  const { vault } = runtime
  const { identities, live, signIns } = await describeUsers(
    runtime.db,
    rows.map((row) => row.user.id),
    runtime.now(),
  )
  const show = async ({ user, app }: ListedUser) => {
    const own = identities.filter((identity) => identity.userId === user.id)
    return {
      id: vault.ids.seal('usr', user.id),
      app: { id: vault.ids.seal('app', app.id), name: app.name },
      label: await userLabel(runtime, user.appId, user.profileSealed, own[0]?.subjectSealed ?? null),
      createdAt: user.createdAt.toISOString(),
      lastSignInAt: signIns.find((row) => row.userId === user.id)?.at?.toISOString() ?? null,
      blocked: user.blockedAt !== null,
      identities: await Promise.all(
        own.map(async ({ kind, subjectSealed }) => ({
          kind,
          subject: await openSubject(runtime, runtime.db, subjectSealed),
        })),
      ),
      liveSessions: live.find((row) => row.userId === user.id)?.n ?? 0,
    }
  }
  return Promise.all(rows.map(show))
}

/** The row number of a user this operator may see. @throws AppError not_found */
async function rowOf(runtime: Runtime, operator: Operator, text: string): Promise<number> {
  const number = runtime.vault.ids.parse('usr', text)
  const user = number === undefined ? undefined : await findUser(runtime.db, number)
  if (!user) throw new AppError('not_found', 'There is no such user')
  assertSees(operator, user.appId)
  return user.id
}

export const usersRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/users', 'Users', 'List users'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        q: z
          .string()
          .trim()
          .max(200)
          .optional()
          .describe('User id, Telegram id, @username, wallet address, e-mail address or SSO subject'),
        status: z.enum(['active', 'blocked']).optional(),
        createdFrom: instantInput.optional(),
        createdTo: instantInput.optional(),
      }),
    )
    .output(countedPageOf(userItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const found = input.q ? await resolveSearch(runtime, input.q) : undefined
      const filter = {
        appId: input.appId === undefined ? undefined : (runtime.vault.ids.parse('app', input.appId) ?? -1),
        ids: found?.userIds,
        blocked: input.status === undefined ? undefined : input.status === 'blocked',
        createdFrom: input.createdFrom,
        createdTo: input.createdTo,
        only: ctx.operator.appIds,
      }
      const [rows, total] = await Promise.all([
        listUsers(runtime.db, { ...filter, ...placeOf(input), limit: input.limit + 1 }),
        countUsers(runtime.db, filter, MOST_COUNTED),
      ])
      const listed = page(
        rows,
        input.limit,
        (row) => row,
        (row) => [row.user.id],
      )
      return { items: await showUsers(runtime, listed.items), nextCursor: listed.nextCursor, total }
    }),

  get: procedure('view')
    .meta(rest('GET', '/users/{id}', 'Users', 'One user, with identities and the latest sessions'))
    .input(z.object({ id }))
    .output(
      z.object({
        user: userItem.extend({
          profile: profileShape,
          blockedAt: instant.nullable(),
          blockedReason: z.string().nullable(),
        }),
        identities: z.array(identityItem),
        signature: signatureItem,
        sessions: z.array(sessionItem),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      const row = await rowOf(runtime, ctx.operator, input.id)
      const [listed] = await listUsers(runtime.db, { ids: [row], limit: 1 })
      if (!listed) throw new AppError('not_found', 'There is no such user')
      const [item] = await showUsers(runtime, [listed])
      const identities = await listIdentities(runtime.db, row)
      const signature = await describeSignature(runtime, row)
      const where = sessionsWhere({ userId: row }, runtime.now())
      const sessions = await listSessions(runtime.db, where, { sort: '-createdAt', after: undefined, limit: 25 })
      return {
        user: {
          ...item!,
          profile: await openProfile(runtime, runtime.db, listed.user.profileSealed),
          blockedAt: listed.user.blockedAt?.toISOString() ?? null,
          blockedReason: listed.user.blockedReason,
        },
        identities: await Promise.all(identities.map((identity) => showIdentity(runtime, identity))),
        signature: { ...signature, recoveryQuestions: signature.recoveryQuestions.length },
        sessions: await Promise.all(sessions.map((session) => showSession(runtime, session))),
      }
    }),

  update: procedure('manage')
    .meta(
      rest(
        'PATCH',
        '/users/{id}',
        'Users',
        'Correct what a person says of themselves; an e-mail address is unverified',
      ),
    )
    .input(profileChange.extend({ id }))
    .output(z.object({ id: z.string(), profile: profileShape }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const { id, ...change } = input
      const row = await rowOf(runtime, ctx.operator, id)
      const user = await changeProfile(runtime, row, change, async (tx) => {
        const known = await findUser(tx, row)
        // Which fields, not what stands in them: the log is kept longer than the person may want to be known.
        await recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'user.update',
          ...(known && { appId: known.appId }),
          target: { kind: 'user', id: row },
          after: { changed: Object.keys(change).sort() },
        })
      })
      return { id, profile: await openProfile(runtime, runtime.db, user.profileSealed) }
    }),

  block: procedure('support')
    .meta(rest('POST', '/users/{id}/block', 'Users', 'Block a user: all sessions end at once and no sign-in succeeds'))
    .input(z.strictObject({ id, reason: z.string().trim().max(500).optional() }))
    .output(z.object({ ended: z.number() }))
    .mutation(async ({ ctx, input }) =>
      blockUser(ctx.runtime, ctx.actor, await rowOf(ctx.runtime, ctx.operator, input.id), input.reason || null),
    ),

  unblock: procedure('support')
    .meta(rest('POST', '/users/{id}/unblock', 'Users', 'Let a blocked user sign in again'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) =>
      unblockUser(ctx.runtime, ctx.actor, await rowOf(ctx.runtime, ctx.operator, input.id)),
    ),

  erase: procedure('manage')
    .meta(
      rest(
        'DELETE',
        '/users/{id}',
        'Users',
        'Erase a person: identities, profile and sessions go; nothing old attaches when they come back',
      ),
    )
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const row = await rowOf(runtime, ctx.operator, input.id)
      const user = await findUser(runtime.db, row)
      const erased = await eraseUser(runtime, row, (tx) =>
        recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'user.erase',
          ...(user && { appId: user.appId }),
          target: { kind: 'user', id: row },
        }),
      )
      if (!erased) throw new AppError('not_found', 'There is no such user')
    }),
})
