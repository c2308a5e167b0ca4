import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { telegramText } from '#server/notification/telegramText.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Texts } from './catalogue.ts'
import { extendPayload, writePayload } from './payload.ts'
import { assertTexts, render } from './render.ts'
import { assertContent } from './schema.ts'
import { typesOf } from './types.ts'

export type PreviewInput = {
  type: string
  user: string
  content?: Record<string, unknown> | undefined
  locale?: string | undefined
  /** Texts that are not saved yet. */
  templates?: Record<string, Texts> | undefined
}

/** One event as every channel would carry it, nothing recorded and nothing sent. @throws AppError not_found, invalid_request with every fault */
export async function previewEvent(runtime: Runtime, app: App, input: PreviewInput) {
  const type = (await typesOf(runtime, runtime.db, app)).get(input.type)
  if (!type) throw new AppError('not_found', 'This app has no such event type')
  const content = input.content ?? type.sample
  assertContent(type, content)
  const templates = { ...type.templates, ...input.templates }
  if (input.templates) assertTexts(input.templates, type.schema)
  const { rewardName, email } = app.settings
  const { title, body, locale } = render({ templates }, content, { locales: [input.locale, email.locale], rewardName })
  const now = runtime.now()
  const time = String(type.unit === 's' ? Math.floor(now.getTime() / 1000) : now.getTime())
  const payload = writePayload({ user: input.user, title, body, op: type.op, time, content })
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
    email: { subject: title, text: body },
  }
}
