import { businessTypes } from './businessTypes.ts'
import { systemTypes } from './systemTypes.ts'

/** What kinds of events people can switch off, by channel; security cannot be. */
export const groups = ['transactions', 'trading', 'swaps', 'verification', 'security', 'account', 'other'] as const
export type Group = (typeof groups)[number]

export type Texts = { title: string; body: string }

export type EventType = {
  key: string
  /** What the payload calls it: `data.op`. */
  op: string
  /** Whether `data.time` counts seconds or milliseconds. */
  unit: 's' | 'ms'
  group: Group
  description: string
  /** JSON Schema (2020-12) of the content. */
  schema: Record<string, unknown>
  sample: Record<string, unknown>
  /** ICU MessageFormat by locale; English is always there. */
  templates: Record<string, Texts>
  /** `system` types are recorded by Gatehouse itself, and apps cannot send them. */
  origin: 'builtin' | 'system' | 'own'
  /** Whether people are told of it over their channels, or only the app is. */
  people: boolean
}

/** Every type that exists in every app, by key. */
export const catalogue: ReadonlyMap<string, EventType> = new Map(
  [...businessTypes, ...systemTypes].map((type) => [type.key, type]),
)
