import type { App } from '#server/app/app.ts'
import type { Reader } from '#server/db/database.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { builtin, type TemplateContent } from './builtin.ts'
import { checkMail } from './check.ts'
import type { Letter } from './compose.ts'
import { liquidFault } from './engine.ts'
import { isNotice, type Locale, type MailFacts, type MailKind } from './kinds.ts'
import { renderNotice, type Notice } from './notice.ts'
import { covered, render, type Rendered } from './render.ts'
import type { Sender } from './marks.ts'
import { senderOf } from './sender.ts'
import type { EmailRow } from './store.ts'
import { findPublished } from './templateStore.ts'
import { valuesOf } from './variables.ts'

/** A mail written out: as it goes, and as eyes may see it that may not see its code. */
export type Written = {
  letter: Letter
  coveredParts: Rendered
  templateVersion: number
  /** Why the app's own template was not used, if it was not. */
  fallback: string | null
}

/**
 * Writes a mail from its row: the app's own template if one is published and what it makes holds, else the built-in one. A mail is never kept back
 * because a template is broken.
 */
export async function writeLetter(runtime: Runtime, db: Reader, app: App, row: EmailRow): Promise<Written> {
  const { vault } = runtime
  if (isNotice(row.kind)) return writeNotice(runtime, db, app, row)
  const kind = row.kind as MailKind
  const locale = row.locale as Locale
  const facts = JSON.parse(await openPersonal(runtime, db, row.variablesSealed!, 'emails.variables')) as MailFacts
  const values = valuesOf(app, facts, { locale, at: row.createdAt, expiresAt: row.expiresAt })
  const from = senderOf(runtime, app)
  const about = { app, kind, locale, at: row.createdAt, sender: from }

  const own = row.draftSealed
    ? { number: 0, content: JSON.parse(vault.open(row.draftSealed, 'emails.draft')) as TemplateContent }
    : await findPublished(db, { appId: app.id, kind, locale })
  const attempt = (content: TemplateContent): { rendered?: Rendered; fault?: string | undefined } => {
    try {
      const rendered = render(content, values)
      return { rendered, fault: checkMail(content, rendered, values, about) }
    } catch (error) {
      return { fault: liquidFault(error).message }
    }
  }
  const tried = own && attempt(own.content)
  // A draft that is tried out is sent as it is, so that its author sees what is wrong with it.
  const usesOwn = tried?.rendered !== undefined && (tried.fault === undefined || row.draftSealed !== null)
  const content = usesOwn ? own!.content : builtin(kind, locale)
  const rendered = usesOwn ? tried.rendered! : render(content, values)

  return {
    letter: await address(runtime, db, row, from, { ...rendered, replyTo: values.app.supportEmail || null }),
    coveredParts: values.code === '' ? rendered : render(content, covered(values)),
    templateVersion: usesOwn ? own!.number : 0,
    fallback: own && !usesOwn ? (tried?.fault ?? 'It could not be rendered') : null,
  }
}

/** A mail without a template: nothing of it can be broken, and nothing is covered. */
async function writeNotice(runtime: Runtime, db: Reader, app: App, row: EmailRow): Promise<Written> {
  const notice = JSON.parse(await openPersonal(runtime, db, row.variablesSealed!, 'emails.variables')) as Notice
  const { locale, createdAt: at, userId } = row
  const { rendered, replyTo, unsubscribe } = renderNotice(runtime, app, notice, {
    locale: locale as Locale,
    at,
    userId,
  })
  const { name, address: sender } = senderOf(runtime, app)
  const from = { name: notice.to === 'person' ? name : 'Gatehouse', address: sender }
  const letter = await address(runtime, db, row, from, { ...rendered, replyTo, unsubscribe })
  return { letter, coveredParts: rendered, templateVersion: 0, fallback: null }
}

/** A rendered mail with everything around it. */
async function address(
  runtime: Runtime,
  db: Reader,
  row: EmailRow,
  from: Sender,
  parts: Rendered & Pick<Letter, 'replyTo' | 'unsubscribe'>,
): Promise<Letter> {
  const ref = runtime.vault.ids.seal('eml', row.id)
  return {
    ...parts,
    from,
    to: await openPersonal(runtime, db, row.toSealed, 'emails.to'),
    locale: row.locale,
    messageId: `<${ref}@${from.address.split('@')[1]}>`,
    date: runtime.now().toISOString(),
    ref,
  }
}
