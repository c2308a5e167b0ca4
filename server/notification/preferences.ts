import * as z from 'zod'
import type { Group } from '#server/event/catalogue.ts'

/** Over which channels a person is told; the app's own endpoints are the app's affair. */
export const channels = ['inbox', 'telegram', 'email'] as const
export type Channel = (typeof channels)[number]

/** Groups that a person may switch off. Security is not among them. */
const choosable = ['transactions', 'trading', 'swaps', 'verification', 'account', 'other'] as const

/** Of each group the channels; `mandatory` is in what we answer, and may come back with it. */
const perChannel = <Choice extends z.ZodType>(choice: Choice) =>
  z
    .strictObject({ inbox: choice, telegram: choice, email: choice, mandatory: z.boolean() })
    .partial()
    .transform(({ mandatory: _, ...chosen }) => chosen)

const wanted = perChannel(z.boolean())
const kept = perChannel(z.literal(true, { error: 'cannot be switched off' }))

const choices = z
  .strictObject({
    security: kept.optional(),
    ...(Object.fromEntries(choosable.map((group) => [group, wanted.optional()])) as Record<
      (typeof choosable)[number],
      z.ZodOptional<typeof wanted>
    >),
  })
  .transform(({ security: _, ...chosen }) => chosen)

/** What a person chooses, alone or inside all that we answer: what was read can be changed and sent back as it is. */
export const choicesInput = z.preprocess((input) => {
  const { preferences } = (input ?? {}) as { preferences?: unknown }
  return preferences ?? input
}, choices)

/** What a person chose: what is not named is wanted. */
export type Choices = z.infer<typeof choices>

/** Whether a person wants to be told of a group of events over a channel. */
export function isWanted(choices: Choices, group: Group, channel: Channel): boolean {
  return group === 'security' || choices[group]?.[channel] !== false
}

/** All groups and channels with whether they are on, and whether that is the person's to choose. */
export function describeChoices(choices: Choices) {
  return Object.fromEntries(
    (['security', ...choosable] as const).map((group) => [
      group,
      {
        ...(Object.fromEntries(channels.map((channel) => [channel, isWanted(choices, group, channel)])) as Record<
          Channel,
          boolean
        >),
        mandatory: group === 'security',
      },
    ]),
  )
}
