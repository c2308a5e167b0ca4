import { and, desc, eq } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
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

export async function findTemplate(db: Reader, key: TemplateKey): Promise<TemplateRow | undefined> {
  const [row] = await db.select().from(emailTemplates).where(ofKey(key))
  return row
}

/** Whether a template that did not hold at a moment has been changed or taken back since. */
export async function isSettled(
  db: Reader,
  { appId, kind, locale }: { appId: number; kind: string; locale: string },
  brokenAt: Date,
): Promise<boolean> {
  const [row] = await db
    .select({ published: emailTemplates.published, updatedAt: emailTemplates.updatedAt })
    .from(emailTemplates)
    .where(and(eq(emailTemplates.appId, appId), eq(emailTemplates.kind, kind), eq(emailTemplates.locale, locale)))
  return !row || row.published === null || row.updatedAt > brokenAt
}

export function listTemplates(db: Reader, appId: number): PromiseLike<TemplateRow[]> {
  return db.select().from(emailTemplates).where(eq(emailTemplates.appId, appId))
}

export async function insertTemplate(tx: Transaction, row: typeof emailTemplates.$inferInsert): Promise<TemplateRow> {
  const [template] = await tx.insert(emailTemplates).values(row).returning()
  return template!
}

/** Writes only when nobody else has since `revision`; undefined when somebody has. */
export async function updateTemplate(
  tx: Transaction,
  { id, revision }: Pick<TemplateRow, 'id' | 'revision'>,
  change: Partial<TemplateRow>,
): Promise<TemplateRow | undefined> {
  const [template] = await tx
    .update(emailTemplates)
    .set({ ...change, revision: revision + 1 })
    .where(and(eq(emailTemplates.id, id), eq(emailTemplates.revision, revision)))
    .returning()
  return template
}

export async function insertVersion(tx: Transaction, row: typeof emailTemplateVersions.$inferInsert): Promise<void> {
  await tx.insert(emailTemplateVersions).values(row)
}

export async function findVersion(db: Reader, templateId: number, number: number): Promise<VersionRow | undefined> {
  const [row] = await db
    .select()
    .from(emailTemplateVersions)
    .where(and(eq(emailTemplateVersions.templateId, templateId), eq(emailTemplateVersions.number, number)))
  return row
}

/** What was published, newest first. */
export function listVersions(db: Reader, templateId: number, limit: number): PromiseLike<VersionRow[]> {
  return db
    .select()
    .from(emailTemplateVersions)
    .where(eq(emailTemplateVersions.templateId, templateId))
    .orderBy(desc(emailTemplateVersions.number))
    .limit(limit)
}
