import { and, eq } from 'drizzle-orm'
import type { Reader } from '#server/db/database.ts'
import { emailTemplates, emailTemplateVersions } from '#server/db/schema.ts'
import type { TemplateContent } from './builtin.ts'
import type { Locale, MailKind } from './kinds.ts'

export type TemplateRow = typeof emailTemplates.$inferSelect
export type VersionRow = typeof emailTemplateVersions.$inferSelect
export type TemplateKey = { appId: number; kind: MailKind; locale: Locale }

const ofKey = ({ appId, kind, locale }: TemplateKey) =>
  and(eq(emailTemplates.appId, appId), eq(emailTemplates.kind, kind), eq(emailTemplates.locale, locale))

/** The version of an app's own template that is sent, if it has one. */
export async function findPublished(
  db: Reader,
  key: TemplateKey,
): Promise<{ number: number; content: TemplateContent } | undefined> {
  const [row] = await db
    .select({ number: emailTemplateVersions.number, content: emailTemplateVersions.content })
    .from(emailTemplates)
    .innerJoin(
      emailTemplateVersions,
      and(
        eq(emailTemplateVersions.templateId, emailTemplates.id),
        eq(emailTemplateVersions.number, emailTemplates.published),
      ),
    )
    .where(ofKey(key))
  return row && { number: row.number, content: JSON.parse(row.content) as TemplateContent }
}
