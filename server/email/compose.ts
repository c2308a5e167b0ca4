import MailComposer from 'nodemailer/lib/mail-composer'
import type { Sender } from './marks.ts'
import type { Rendered } from './render.ts'

/** Everything of which a mail's bytes are made, so that they are the same on every try. */
export type Letter = Rendered & {
  from: Sender
  to: string
  replyTo: string | null
  locale: string
  messageId: string
  /** ISO 8601. */
  date: string
  ref: string
  /** Where the person stops mails like this one: a GET asks them, a POST does it (RFC 8058). */
  unsubscribe?: string | undefined
}

/**
 * The mail as it goes over the wire (RFC 5322): text and HTML as alternatives, no tracking, and the note that no human wrote it (RFC 3834), so that no
 * answering machine answers. Where the person may switch mails like it off, their mail program is told how (RFC 2369, RFC 8058); what is about the
 * safety of their account names nothing to unsubscribe from.
 */
export async function composeSource(letter: Letter): Promise<Buffer> {
  const { from, to, replyTo, subject, html, text, messageId, ref, unsubscribe } = letter
  const composer = new MailComposer({
    from,
    to: { name: '', address: to },
    ...(replyTo && { replyTo: { name: '', address: replyTo } }),
    subject,
    text,
    html,
    messageId,
    date: new Date(letter.date),
    baseBoundary: ref,
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Entity-Ref-ID': ref,
      'Content-Language': letter.locale,
      ...(unsubscribe !== undefined && { 'List-Unsubscribe': { prepared: true, value: `<${unsubscribe}>` } }),
      // One click needs https: nobody on the way may press it (RFC 8058 §3.1).
      ...(unsubscribe?.startsWith('https:') && { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
    },
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return composer.compile().build()
}

/** The header lines of a source, unfolded. */
export function headersOf(source: Buffer): { name: string; value: string }[] {
  const head = source.toString('utf8').split(/\r?\n\r?\n/, 1)[0]!
  return head
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .map((line) => ({ name: line.slice(0, line.indexOf(':')), value: line.slice(line.indexOf(':') + 1).trim() }))
}
