import * as z from 'zod'
import type { Group } from '#server/event/catalogue.ts'

/** Over which channels a person is told; the app's own endpoints are the app's affair. */
export const channels = ['inbox', 'telegram', 'email'] as const
export type Channel = (typeof channels)[number]

/** Groups that a person may switch off. Security is not among them. */
const choosable = ['transactions', 'trading', 'swaps', 'verification', 'account', 'other'] as const

const wanted = z.strictObject({ inbox: z.boolean(), telegram: z.boolean(), email: z.boolean() }).partial()

/** What a person chose: what is not named is wanted. */
export const choicesInput = z.strictObject(
  Object.fromEntries(choosable.map((group) => [group, wanted.optional()])) as Record<
    (typeof choosable)[number],
    z.ZodOptional<typeof wanted>
  >,
)
export type Choices = z.infer<typeof choicesInput>

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
