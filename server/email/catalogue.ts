/** The system mails of the Saakuru document, by the names of the contract. */
export const mailKinds = [
  'verification_code_reset_signature',
  'verification_code_link_account',
  'signature_reset_failed',
  'signature_updated',
  'recovery_questions_updated',
] as const
export type MailKind = (typeof mailKinds)[number]

/** What the document calls each mail. */
export const mailNames: Record<MailKind, string> = {
  verification_code_reset_signature: 'Verification Code - Resetting Signature',
  verification_code_link_account: 'Verification Code - Linking Existing Account',
  signature_reset_failed: 'Signature - Failed to Reset',
  signature_updated: 'Signature Updated',
  recovery_questions_updated: 'Signature Recovery Questions Updated',
}

export const mailLocales = ['en', 'de', 'es', 'fr', 'pt-BR', 'ru', 'tr', 'zh-CN'] as const
export type MailLocale = (typeof mailLocales)[number]

/** Whether a mail carries a code, and so dies with it. */
export const carriesCode = (kind: MailKind): boolean => kind.startsWith('verification_code_')

/** What kind of value a variable holds; it decides where in a page it may stand (context.ts). */
export type VariableType = 'text' | 'url' | 'email' | 'color' | 'code' | 'number'

export type Variable = {
  name: string
  type: VariableType
  description: string
  sample: string
  /** A template without it is not sent. */
  required: boolean
  /** May be empty: stands inside an `if`. */
  optional?: boolean
}

const common: Variable[] = [
  { name: 'app_name', type: 'text', description: "The app's name", sample: 'Ton Quest', required: true },
  { name: 'app_logo', type: 'url', description: "The app's logo, for img src", sample: 'cid:logo', required: true },
  {
    name: 'support_email',
    type: 'email',
    description: 'Where people get help',
    sample: 'help@example.com',
    required: true,
  },
  {
    name: 'copyright',
    type: 'text',
    description: 'The copyright line',
    sample: '© 2026 Ton Quest',
    required: true,
  },
  { name: 'sender_name', type: 'text', description: 'Who the mail is from', sample: 'Ton Quest', required: false },
  { name: 'primary_color', type: 'color', description: "The app's colour", sample: '#0064bf', required: false },
  {
    name: 'user_name',
    type: 'text',
    description: "The person's name",
    sample: 'Alice',
    required: false,
    optional: true,
  },
  {
    name: 'happened_at',
    type: 'text',
    description: 'When it happened, in words of the language, UTC',
    sample: 'June 1, 2026 at 12:00 PM UTC',
    required: false,
  },
  { name: 'preheader', type: 'text', description: 'The line that inboxes show', sample: '', required: false },
  { name: 'locale', type: 'code', description: 'The language tag, for html lang', sample: 'en', required: false },
  { name: 'dir', type: 'code', description: 'ltr or rtl, for html dir', sample: 'ltr', required: false },
  { name: 'year', type: 'number', description: 'The year', sample: '2026', required: false },
]

const code: Variable[] = [
  { name: 'code', type: 'code', description: 'The six digits', sample: '482913', required: true },
  { name: 'expires_in', type: 'number', description: 'Minutes that the code lives', sample: '10', required: false },
]

/** The variables that a mail's template may use. */
export const variablesOf = (kind: MailKind): Variable[] => (carriesCode(kind) ? [...code, ...common] : common)

/** The language of ours that fits a BCP 47 tag best, if any does. */
export function localeFor(tag: string | undefined): MailLocale | undefined {
  if (tag === undefined) return undefined
  const wanted = tag.toLowerCase()
  return (
    mailLocales.find((locale) => locale.toLowerCase() === wanted) ??
    mailLocales.find((locale) => locale.toLowerCase().split('-')[0] === wanted.split('-')[0])
  )
}

/** Which way a language is written. */
export const directionOf = (locale: string): 'ltr' | 'rtl' =>
  /^(ar|dv|fa|he|ks|ku-arab|ps|sd|ug|ur|yi)\b/i.test(locale) ? 'rtl' : 'ltr'
