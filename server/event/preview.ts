import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { previewMail } from '#server/notification/mail.ts'
import { telegramText } from '#server/notification/telegramText.ts'
import type { Runtime } from '#server/runtime.ts'
import type { EventType, Texts } from './catalogue.ts'
import { extendPayload, writePayload } from './payload.ts'
import { assertTexts, render } from './render.ts'
import { assertContent } from './schema.ts'
import { typesOf } from './types.ts'

type Drafted = 'op' | 'unit' | 'group' | 'schema'

export type PreviewInput = {
  type: string
  user: string
  content?: Record<string, unknown> | undefined
  locale?: string | undefined
  /** Texts that are not saved yet. */
  templates?: Record<string, Texts> | undefined
  /** What of the type is not saved yet; with a schema, the type need not be there at all. */
  draft?: { [Key in Drafted]?: EventType[Key] | undefined } | undefined
}

/** One event as every channel would carry it, nothing recorded and nothing sent. @throws AppError not_found, invalid_request with every fault */
export async function previewEvent(runtime: Runtime, app: App, input: PreviewInput) {
  const type = typeOf((await typesOf(runtime, runtime.db, app)).get(input.type), input)
  if (!type) throw new AppError('not_found', 'This app has no such event type')
  const content = input.content ?? type.sample
  assertContent(type, content)
  const templates = { ...type.templates, ...input.templates }
  if (input.templates) assertTexts(input.templates, type.schema)
  if (Object.keys(templates).length === 0)
    throw new AppError('invalid_request', 'The input does not fit; see errors', {
      errors: [{ path: 'templates', message: 'is needed for a type that is not saved yet' }],
    })
  const { rewardName, email } = app.settings
  const { title, body, locale } = render({ templates }, content, { locales: [input.locale, email.locale], rewardName })
  const now = runtime.now()
  const time = String(type.unit === 's' ? Math.floor(now.getTime() / 1000) : now.getTime())
  const payload = writePayload({ user: input.user, title, body, op: type.op, time, content: JSON.stringify(content) })
  return {
    locale,
    title,
    body,
    webhook: {
      standard: payload,
      extended: extendPayload(payload, { id: 'evt_…', type: type.key, timestamp: now, seq: 1 }),
    },
    telegram: telegramText({ title, body }),
    inbox: { title, body, type: type.key, group: type.group },
    email: previewMail(runtime, app, { title, body, group: type.group, locale }),
  }
}

/** The type as it is saved, with what is not saved yet laid over it. Of a built-in one nothing but the texts can change. */
function typeOf(saved: EventType | undefined, { type: key, draft = {} }: PreviewInput) {
  if (saved && saved.origin !== 'own') return saved
  const schema = draft.schema ?? saved?.schema
  if (!schema) return undefined
  return {
    ...{ key, schema, sample: saved?.sample ?? {}, templates: saved?.templates ?? {} },
    op: draft.op ?? saved?.op ?? key,
    unit: draft.unit ?? saved?.unit ?? ('s' as const),
    group: draft.group ?? saved?.group ?? ('other' as const),
  }
}
