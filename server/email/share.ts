import { appIn, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { builtin, type TemplateContent } from './builtin.ts'
import { kinds, locales, type Locale, type MailKind } from './kinds.ts'
import { findTemplate, findVersion } from './templateStore.ts'
import * as z from 'zod'

const ticket = z.object({
  app: z.number().int(),
  kind: z.enum(kinds),
  locale: z.enum(locales),
  draft: z.boolean(),
  until: z.number().int(),
})

type Shared = { app: App; kind: MailKind; locale: Locale; draft: boolean; content: TemplateContent; until: Date }

/** A link that shows a template with sample values to whoever has it, without a login, until `until`. It holds nothing but which template. */
export function shareLink(
  runtime: Runtime,
  { app, kind, locale, draft, until }: Pick<Shared, 'app' | 'kind' | 'locale' | 'draft' | 'until'>,
): string {
  const text = JSON.stringify({ app: app.id, kind, locale, draft, until: until.getTime() })
  const token = runtime.vault.seal(text, 'email.preview').toString('base64url')
  return `${runtime.config.publicUrl}/preview/${token}`
}

/** What a link shows now. @throws AppError not_found, for what was never a link of ours and for one that is over alike */
export async function openShare(runtime: Runtime, token: string): Promise<Shared> {
  const gone = () => new AppError('not_found', 'This link is not valid or no longer is; ask for a new one')
  let read: z.infer<typeof ticket>
  try {
    read = ticket.parse(JSON.parse(runtime.vault.open(Buffer.from(token, 'base64url'), 'email.preview')))
  } catch {
    throw gone()
  }
  if (runtime.now().getTime() >= read.until) throw gone()
  const app = await appIn(runtime, runtime.db, read.app)
  if (!app) throw gone()
  const { kind, locale, draft } = read
  const content = (await currentContent(runtime, app, kind, locale, draft)) ?? builtin(kind, locale)
  return { app, kind, locale, draft, content, until: new Date(read.until) }
}

/** The draft if it is asked for and there is one, else what is published; undefined for the built-in mail. */
export async function currentContent(
  { db }: Pick<Runtime, 'db'>,
  app: App,
  kind: MailKind,
  locale: Locale,
  draft: boolean,
): Promise<TemplateContent | undefined> {
  const row = await findTemplate(db, { appId: app.id, kind, locale })
  if (!row) return undefined
  if (draft && row.draft) return JSON.parse(row.draft) as TemplateContent
  const version = row.published === null ? undefined : await findVersion(db, row.id, row.published)
  return version && (JSON.parse(version.content) as TemplateContent)
}
