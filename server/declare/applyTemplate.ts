import { isDeepStrictEqual } from 'node:util'
import type { App } from '#server/app/app.ts'
import { builtin, type TemplateContent } from '#server/email/builtin.ts'
import type { Locale, MailKind } from '#server/email/kinds.ts'
import { saveTemplate } from '#server/email/save.ts'
import { findPublished } from '#server/email/templateStore.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'

/** Publishes a mail template of an app unless it is the one that is sent already; whether it did. @throws AppError invalid_request with every fault */
export async function applyTemplate(
  runtime: Runtime,
  actor: Actor,
  app: App,
  declared: { kind: MailKind; locale: Locale; content: TemplateContent },
): Promise<boolean> {
  const { kind, locale, content } = declared
  const published = await findPublished(runtime.db, { appId: app.id, kind, locale })
  if (isDeepStrictEqual(published?.content ?? builtin(kind, locale), content)) return false
  await saveTemplate(runtime, actor, { app, kind, locale }, { content, publish: true })
  return true
}
