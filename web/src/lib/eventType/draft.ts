import type { EventType, Inputs } from '../api.ts'
import { readObject } from './words.ts'

/** A type as one edits it: JSON as text. */
export type Draft = {
  key: string
  op: string
  unit: 's' | 'ms'
  group: EventType['group']
  description: string
  schema: string
  sample: string
  templates: Record<string, { title: string; body: string }>
}

const pretty = (value: unknown) => JSON.stringify(value, null, 2)

export const draftOf = (type: EventType): Draft => ({
  key: type.key,
  op: type.op,
  unit: type.unit,
  group: type.group,
  description: type.description,
  schema: pretty(type.schema),
  sample: pretty(type.sample),
  templates: JSON.parse(JSON.stringify(type.templates)) as Draft['templates'],
})

/** What a new type begins as: one that works, to be changed. */
export const emptyDraft = (): Draft => ({
  key: '',
  op: '',
  unit: 's',
  group: 'other',
  description: '',
  schema: pretty({
    type: 'object',
    properties: { number: { type: 'string' }, parcels: { type: 'integer' } },
    required: ['number', 'parcels'],
  }),
  sample: pretty({ number: 'AB12', parcels: 2 }),
  templates: {
    en: {
      title: 'Order {number} is on its way',
      body: '{parcels, plural, one {One parcel} other {# parcels}} will arrive soon.',
    },
  },
})

type Asked = Omit<Inputs['eventTypes']['preview'], 'appId'>

/** The question for a preview, or what of the draft cannot be read yet. Of a built-in type only its texts are a draft. */
export function previewOf(
  draft: Draft,
  locale: string,
  builtin: boolean,
): { asked: Asked } | { faults: Record<string, string> } {
  const [sample, schema] = [readObject(draft.sample), readObject(draft.schema)]
  if ('fault' in sample || 'fault' in schema)
    return {
      faults: {
        ...('fault' in schema && { schema: schema.fault }),
        ...('fault' in sample && { sample: sample.fault }),
      },
    }
  const texts = draft.templates[locale]
  const { unit, group, op } = draft
  return {
    asked: {
      key: draft.key || 'your.type',
      content: sample.value,
      locale,
      ...(texts && { templates: { [locale]: texts } }),
      ...(!builtin && { draft: { unit, group, schema: schema.value, ...(op && { op }) } }),
    },
  }
}
