/** The system mails (Saakuru's five), by the names that the management API uses. */
export const kinds = [
  'verification_code_reset_signature',
  'verification_code_link_account',
  'signature_reset_failed',
  'signature_updated',
  'recovery_questions_updated',
] as const
export type MailKind = (typeof kinds)[number]

/** Mails without templates, in one frame: of an event to a person, and to the operators of an app. */
export const noticeKinds = ['event', 'endpoint_disabled', 'template_fallback'] as const
export type NoticeKind = (typeof noticeKinds)[number]

export const isNotice = (kind: string): kind is NoticeKind => (noticeKinds as readonly string[]).includes(kind)

/** The languages that mails are written in. */
export const locales = ['en', 'de', 'es', 'fr', 'pt-BR', 'ru', 'tr', 'zh-CN'] as const
export type Locale = (typeof locales)[number]

/** What a flow tells of the moment a mail is about; everything else in a mail comes from the app's settings and the person's profile. */
export type MailFacts = {
  /** The digits to type in; needed by the kinds that carry a code. */
  code?: string | undefined
  /** How the person is called. */
  userName?: string | undefined
  /** Where the request came from, so that a stranger's request is recognised as one. */
  ip?: string | undefined
  device?: string | undefined
}

const codeKinds: readonly MailKind[] = ['verification_code_reset_signature', 'verification_code_link_account']

/** Whether a kind of mail carries a code, and so is worth nothing once the code is over. */
export const carriesCode = (kind: MailKind): boolean => codeKinds.includes(kind)

/**
 * The language of a mail: the wanted one (a BCP 47 tag such as `pt` or `zh-Hans-CN`) if mails are written in it or in another form of it,
 * else `fallback`.
 */
export function localeOf(wanted: string | undefined, fallback: Locale): Locale {
  if (!wanted) return fallback
  const tag = wanted.replaceAll('_', '-').toLowerCase()
  const language = tag.split('-')[0]
  return (
    locales.find((locale) => locale.toLowerCase() === tag) ??
    locales.find((locale) => locale.toLowerCase().split('-')[0] === language) ??
    fallback
  )
}
