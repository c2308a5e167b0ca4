import { isIP } from 'node:net'
import { isWithin, parseNetworks, plainAddress } from '#server/http/address.ts'
import * as z from 'zod'
import {
  assertAhead,
  expiryInput,
  instantInput,
  page,
  pageInput,
  pageOf,
  placeOf as placeInList,
} from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { findUser } from '#server/identity/store.ts'
import { resolveSearch } from '#server/identity/search.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, assertSeesAll, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { createBlock, removeBlock } from './blocks.ts'
import { answers, detectorNames, detectors, rulesFrom } from './detectors.ts'
import { placeOf } from './place.ts'
import { readNetwork } from './target.ts'
import { blockItem, findingItem, showBlock, showFinding, showStop, stopItem } from './show.ts'
import {
  findBlock,
  listBlocks,
  listFindings,
  listRules,
  moveVersion,
  saveRule,
  triesByDevice,
  worstNetworks,
} from './store.ts'

const HOUR_MS = 3_600_000
const id = z.string().max(64)
const tally = z.object({ value: z.string(), succeeded: z.number(), failed: z.number(), stopped: z.number() })

const ruleItem = z.object({
  detector: z.enum(detectorNames),
  title: z.string(),
  text: z.string(),
  unit: z.string(),
  mode: z.enum(['off', 'shadow', 'on']),
  threshold: z.number(),
  answer: z.enum(answers),
  defaults: z.object({ mode: z.enum(['off', 'shadow', 'on']), threshold: z.number(), answer: z.enum(answers) }),
})

function number(runtime: Runtime, kind: 'app' | 'usr' | 'blk', text: string | undefined): number | undefined {
  return text === undefined ? undefined : (runtime.vault.ids.parse(kind, text) ?? -1)
}

/** An address or a network that somebody asks about, in any spelling: what is written of it, and whom it covers. */
function spotOf(text: string) {
  if (isIP(text)) {
    const place = placeOf(plainAddress(text))
    return {
      ...{ place, network: undefined, values: [place.ip, place.address, place.network] },
      holds: (ip: string) => ip === place.ip,
    }
  }
  const read = readNetwork(text)
  if ('fault' in read) return undefined
  const range = parseNetworks([read.text])
  return {
    ...{ place: undefined, network: read.text, values: [read.text] },
    holds: (ip: string) => isWithin(ip, range),
  }
}

/** What holds in every app concerns the whole installation. */
function assertMayBlock(operator: Operator, appId: number | undefined): void {
  if (appId === undefined) assertSeesAll(operator)
  else assertSees(operator, appId)
}

export const trafficRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/traffic', 'Traffic', 'Findings: what bots and guessers did, and what was done about it'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        detector: z.enum(detectorNames).optional(),
        ip: z.string().max(60).optional().describe('An address; findings of its network count too'),
        from: instantInput.optional(),
        to: instantInput.optional(),
      }),
    )
    .output(pageOf(findingItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      await runtime.traffic.flush()
      const spot = input.ip === undefined ? undefined : spotOf(input.ip)
      const rows = await listFindings(
        runtime.db,
        {
          appId: number(runtime, 'app', input.appId),
          detector: input.detector,
          values: spot?.values ?? (input.ip ? [input.ip] : undefined),
          from: input.from,
          to: input.to,
          only: ctx.operator.appIds,
          ...placeInList(input),
        },
        input.limit + 1,
      )
      return page(
        rows,
        input.limit,
        (row) => showFinding(runtime, row),
        (row) => [row.id],
      )
    }),

  sources: procedure('view')
    .meta(rest('GET', '/traffic/sources', 'Traffic', 'Tries by network and by device, the worst first'))
    .input(z.object({ appId: id.optional(), from: instantInput.optional(), to: instantInput.optional() }))
    .output(z.object({ networks: z.array(tally), devices: z.array(tally) }))
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.traffic.flush()
      const app = number(runtime, 'app', input.appId)
      const only = operator.appIds
      const to = input.to ?? runtime.now()
      const from = input.from ?? new Date(to.getTime() - 24 * HOUR_MS)
      const filter = {
        fromHour: Math.floor(from.getTime() / HOUR_MS),
        toHour: Math.floor(to.getTime() / HOUR_MS),
        appIds: app === undefined ? only : only && !only.includes(app) ? [] : [app],
      }
      const [networks, devices] = await Promise.all([
        worstNetworks(runtime.db, filter, 20),
        triesByDevice(runtime.db, filter),
      ])
      return { networks, devices }
    }),

  why: procedure('view')
    .meta(
      rest('GET', '/traffic/why', 'Traffic', 'Why was this person stopped? By address, or by whatever names a user'),
    )
    .input(z.object({ q: z.string().trim().min(1).max(200), appId: id.optional() }))
    .output(
      z.object({
        verdict: z.string(),
        blocks: z.array(blockItem),
        findings: z.array(findingItem),
        stops: z.array(stopItem),
        userId: z.string().nullable(),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.traffic.flush()
      await runtime.traffic.ready()
      const { q } = input
      const appId = number(runtime, 'app', input.appId)
      const spot = spotOf(q)
      const found = spot ? undefined : await resolveSearch(runtime, q)
      const user = found?.userIds[0] === undefined ? undefined : await findUser(runtime.db, found.userIds[0])
      const visible = user && (!operator.appIds || operator.appIds.includes(user.appId)) ? user : undefined
      const filter = { appId, only: operator.appIds }
      const known = spot || visible
      const rows = known
        ? await listFindings(
            runtime.db,
            { ...filter, ...(spot ? { values: spot.values } : { userId: visible!.id }) },
            20,
          )
        : []
      const entry = spot?.place && runtime.traffic.lists().find(spot.place, appId ?? 'any', runtime.now().getTime())
      const value = entry ? entry.value : spot?.network
      const blocks = (await listBlocks(runtime.db, filter, runtime.now(), 200)).filter((row) =>
        spot ? value !== undefined && row.value === value : visible !== undefined && row.userId === visible.id,
      )
      const stops = runtime.traffic
        .stops()
        .filter((stop) => spot?.holds(stop.ip) && (!operator.appIds || operator.appIds.includes(stop.appId)))
      const since = visible?.blockedAt
      return {
        verdict: since
          ? `This account is blocked since ${since.toISOString()}: ${visible.blockedReason ?? 'no reason was given'}`
          : verdictOf(
              spot?.network ? 'network' : 'address',
              (entry ?? blocks[0])?.effect,
              stops.length,
              rows.length,
              known !== undefined,
            ),
        blocks: blocks.map((row) => showBlock(runtime, row)),
        findings: rows.map((row) => showFinding(runtime, row)),
        stops: stops
          .slice(-50)
          .reverse()
          .map((stop) => showStop(runtime, stop)),
        userId: visible ? runtime.vault.ids.seal('usr', visible.id) : null,
      }
    }),

  rules: procedure('view')
    .meta(rest('GET', '/traffic/rules', 'Traffic', 'The detectors, with their thresholds'))
    .input(z.object({}))
    .output(z.object({ items: z.array(ruleItem) }))
    .query(async ({ ctx }) => ({ items: showRules(await listRules(ctx.runtime.db)) })),

  changeRule: procedure('manage')
    .meta(
      rest('PATCH', '/traffic/rules/{detector}', 'Traffic', 'Tune a detector, try it out in shadow, or switch it off'),
    )
    .input(
      z.strictObject({
        detector: z.enum(detectorNames),
        mode: z.enum(['off', 'shadow', 'on']).optional(),
        threshold: z.number().int().min(1).max(1_000_000).optional(),
        answer: z.enum(answers).optional(),
      }),
    )
    .output(ruleItem)
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      assertSeesAll(ctx.operator)
      const { detector } = input
      const now = runtime.now()
      await runtime.db.transaction(async (tx) => {
        await tx.lock('traffic rules')
        const before = rulesFrom(await listRules(tx))[detector]
        const after = {
          mode: input.mode ?? before.mode,
          threshold: input.threshold ?? before.threshold,
          answer: input.answer ?? before.answer,
        }
        await saveRule(tx, { detector, ...after, updatedAt: now })
        await moveVersion(tx, `rule ${detector} ${now.getTime()} ${JSON.stringify(after)}`)
        await recordAudit(tx, {
          at: now,
          actor,
          action: 'traffic_rule.update',
          target: { kind: 'traffic_rule', id: detectorNames.indexOf(detector), label: detector },
          before,
          after,
        })
      })
      await runtime.traffic.reload()
      return showRules(await listRules(runtime.db)).find((rule) => rule.detector === detector)!
    }),
})

const showRules = (changed: Awaited<ReturnType<typeof listRules>>): z.infer<typeof ruleItem>[] => {
  const rules = rulesFrom(changed)
  return detectorNames.map((detector) => {
    const { title, text, unit, mode, threshold, answer } = detectors[detector]
    return { detector, title, text, unit, ...rules[detector], defaults: { mode, threshold, answer } }
  })
}

function verdictOf(
  what: 'address' | 'network',
  effect: 'block' | 'allow' | undefined,
  stops: number,
  findings: number,
  known: boolean,
): string {
  if (!known) return 'Nobody is known by this; look for an address, a network, or what names a user'
  if (effect === 'allow') return `This ${what} is on the allow-list: it is never stopped`
  if (effect === 'block') return `This ${what} is blocked now`
  if (stops > 0) return `Not blocked now; tries from this ${what} were stopped a while ago`
  return findings > 0 ? 'Not stopped now; there are earlier findings' : 'Nothing stops this'
}

export const blocksRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/blocks', 'Traffic', 'Who is kept out, and who is always let in'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        kind: z.enum(['address', 'network', 'user', 'app']).optional(),
        effect: z.enum(['block', 'allow']).optional(),
      }),
    )
    .output(pageOf(blockItem))
    .query(async ({ ctx, input }) => {
      const { runtime } = ctx
      await runtime.traffic.flush()
      const filter = { appId: number(runtime, 'app', input.appId), kind: input.kind, effect: input.effect }
      const rows = await listBlocks(
        runtime.db,
        { ...filter, only: ctx.operator.appIds, ...placeInList(input) },
        runtime.now(),
        input.limit + 1,
      )
      return page(
        rows,
        input.limit,
        (row) => showBlock(runtime, row),
        (row) => [row.id],
      )
    }),

  create: procedure('support')
    .meta(rest('POST', '/blocks', 'Traffic', 'Keep an address, network, user or app out, or always let one in'))
    .input(
      z.strictObject({
        effect: z.enum(['block', 'allow']).default('block'),
        kind: z.enum(['address', 'network', 'user', 'app']),
        value: z.string().trim().max(60).optional().describe('An address or a CIDR network'),
        userId: id.optional(),
        appId: id.optional().describe('Holds in this app only'),
        reason: z.string().trim().max(500).default(''),
        expiresAt: expiryInput.optional(),
      }),
    )
    .output(blockItem)
    .mutation(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      assertAhead(runtime.now(), input.expiresAt)
      const appId = number(runtime, 'app', input.appId)
      const userId = number(runtime, 'usr', input.userId)
      const user = userId === undefined ? undefined : await findUser(runtime.db, userId)
      if (input.kind === 'user' && userId !== undefined) {
        if (!user) throw new AppError('not_found', 'There is no such user')
        assertSees(operator, user.appId)
      } else assertMayBlock(operator, appId)
      if (appId === -1) throw new AppError('not_found', 'There is no such app')
      return showBlock(runtime, await createBlock(runtime, ctx.actor, { ...input, appId, userId }))
    }),

  delete: procedure('support')
    .meta(rest('DELETE', '/blocks/{id}', 'Traffic', 'Lift a block, or take an allowance back'))
    .input(z.strictObject({ id }))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.traffic.flush()
      const row = await findBlock(runtime.db, number(runtime, 'blk', input.id)!)
      if (!row || (operator.appIds && row.appId !== null && !operator.appIds.includes(row.appId)))
        throw new AppError('not_found', 'There is no such block')
      assertMayBlock(operator, row.appId ?? undefined)
      await removeBlock(runtime, ctx.actor, row.id)
    }),
})
