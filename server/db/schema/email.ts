import { isNotNull, sql } from 'drizzle-orm'
import { bytes, id, index, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'
import { users } from './identity.ts'

/**
 * Every mail, written before it leaves. `variables` are what it will be rendered with; `content` is what it became: JSON of subject, HTML, text and
 * headers. Both are personal and may hold a code, so both are encrypted, and what a code mail held is blanked once the code is over.
 */
export const emails = table(
  'emails',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    /** Null for a test that an operator sent to themselves. */
    userId: ref().references(() => users.id, { onDelete: 'cascade' }),
    /**
     * The delivery that this mail is, if it tells of an event: what becomes of the mail is written there too. No foreign key, because events and mails
     * are kept for different times.
     */
    deliveryId: ref(),
    kind: text().notNull(),
    locale: text().notNull(),
    toHash: bytes().notNull(),
    toSealed: bytes().notNull(),
    variablesSealed: bytes(),
    /** A draft that is tried out, instead of what is published. */
    draftSealed: bytes(),
    contentSealed: bytes(),
    status: text({
      enum: ['queued', 'sending', 'sent', 'kept', 'failed', 'bounced', 'expired', 'suppressed', 'unconfirmed'],
    }).notNull(),
    /** Why it is where it is: a stable word, and the same for people. */
    reason: text(),
    detail: text(),
    /** The version of the app's template it was made with, 0 for the built-in one. */
    templateVersion: integer(),
    /** Why the app's own template was not used. */
    fallback: text(),
    tries: integer().notNull().default(0),
    nextAt: instant(),
    /** Until then it belongs to the process that took it. */
    leasedUntil: instant(),
    /** When the server was about to get its end, without which it takes nothing: from then on it may have been sent. */
    handedAt: instant(),
    resendOf: ref(),
    createdAt: instant().notNull(),
    /** When its code is over, and the mail with it. */
    expiresAt: instant(),
    finishedAt: instant(),
    wipedAt: instant(),
  },
  (mail) => [
    index('emails_due').on(mail.nextAt, mail.id).where(sql.raw(`status = 'queued'`)),
    index('emails_sending').on(mail.leasedUntil).where(sql.raw(`status = 'sending'`)),
    index('emails_created').on(mail.createdAt),
    index('emails_status').on(mail.status, mail.id),
    index('emails_app_status').on(mail.appId, mail.status, mail.id),
    index('emails_kind').on(mail.kind, mail.id),
    index('emails_app').on(mail.appId, mail.id),
    index('emails_user').on(mail.userId),
    index('emails_to').on(mail.toHash, mail.id),
    index('emails_delivery').on(mail.deliveryId).where(isNotNull(mail.deliveryId)),
    index('emails_code').on(mail.expiresAt).where(sql.raw(`expires_at is not null and wiped_at is null`)),
  ],
)

/** One try to hand a mail to the SMTP server. */
export const emailAttempts = table(
  'email_attempts',
  {
    id: id(),
    emailId: ref()
      .notNull()
      .references(() => emails.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    at: instant().notNull(),
    durationMs: integer().notNull(),
    outcome: text().notNull(),
    /** The server's three-digit reply and its words. */
    status: integer(),
    response: text(),
  },
  (attempt) => [index('email_attempts_email').on(attempt.emailId, attempt.id)],
)

/** Addresses that refused mail: nothing more goes there until the time is over or an operator lifts it. */
export const emailSuppressions = table(
  'email_suppressions',
  {
    id: id(),
    toHash: bytes().notNull(),
    toSealed: bytes().notNull(),
    reason: text().notNull(),
    createdAt: instant().notNull(),
    /** Null is for good. */
    until: instant(),
  },
  (row) => [uniqueIndex('email_suppressions_to').on(row.toHash)],
)

/** An app's own text for one kind of mail in one language; without a row the built-in one serves. */
export const emailTemplates = table(
  'email_templates',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    kind: text().notNull(),
    locale: text().notNull(),
    /** Counts every change, so that two people do not overwrite each other. */
    revision: integer().notNull(),
    /** The version that is sent; null is the built-in one. */
    published: integer(),
    /** JSON of what is being written and not sent yet. */
    draft: text(),
    updatedAt: instant().notNull(),
    updatedBy: text().notNull(),
  },
  (template) => [uniqueIndex('email_templates_key').on(template.appId, template.kind, template.locale)],
)

/** What was ever published of a template. Versions are never changed. */
export const emailTemplateVersions = table(
  'email_template_versions',
  {
    id: id(),
    templateId: ref()
      .notNull()
      .references(() => emailTemplates.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    content: text().notNull(),
    createdAt: instant().notNull(),
    createdBy: text().notNull(),
    /** The version it was brought back from. */
    restoredFrom: integer(),
  },
  (version) => [uniqueIndex('email_template_versions_number').on(version.templateId, version.number)],
)
