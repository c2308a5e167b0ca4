import * as z from 'zod'
import { procedure, rest } from '#server/console/trpc.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSeesAll } from '#server/operator/operator.ts'
import { answers, detectorNames, detectors, rulesFrom } from './detectors.ts'
import { listRules, moveVersion, saveRule } from './store.ts'

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

/** What operators may know of the detectors and change in them. */
export const ruleProcedures = {
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
}

const showRules = (changed: Awaited<ReturnType<typeof listRules>>): z.infer<typeof ruleItem>[] => {
  const rules = rulesFrom(changed)
  return detectorNames.map((detector) => {
    const { title, text, unit, mode, threshold, answer } = detectors[detector]
    return { detector, title, text, unit, ...rules[detector], defaults: { mode, threshold, answer } }
  })
}
