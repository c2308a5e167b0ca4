import type { Outputs } from '../api.ts'
import type { Tone } from '../words.ts'

export type Mail = Outputs['emails']['list']['items'][number]
export type Template = Outputs['emailTemplates']['get']
export type Content = Template['content']
export type Preview = Outputs['emailTemplates']['preview']
export type Finding = Preview['findings'][number]
export type Kind = Template['kind']
export type Locale = Template['locale']

export const kinds: Record<Kind, string> = {
  verification_code_reset_signature: 'Code to reset the signature',
  verification_code_link_account: 'Code to link an account',
  signature_reset_failed: 'Signature: failed to reset',
  signature_updated: 'Signature updated',
  recovery_questions_updated: 'Recovery questions updated',
}

/** Besides those with templates: mails of events, and to operators. */
export const mailKinds: Record<Mail['kind'], string> = {
  ...kinds,
  event: 'Notification of an event',
  endpoint_disabled: 'To operators: endpoint off',
  template_fallback: 'To operators: template not used',
}

export const locales: Record<Locale, string> = {
  en: 'English',
  de: 'German',
  es: 'Spanish',
  fr: 'French',
  'pt-BR': 'Portuguese (Brazil)',
  ru: 'Russian',
  tr: 'Turkish',
  'zh-CN': 'Chinese (simplified)',
}

export const marks: Record<Preview['marks'][number]['name'], string> = {
  logo: 'App logo',
  appName: 'App name',
  supportEmail: 'Support e-mail',
  copyright: 'Copyright',
  sender: 'Sender',
}

export const statuses: Record<Mail['status'], { glyph: string; word: string; tone: Tone }> = {
  queued: { glyph: '…', word: 'queued', tone: 'accent' },
  sending: { glyph: '↗', word: 'sending', tone: 'accent' },
  sent: { glyph: '✓', word: 'sent', tone: 'ok' },
  kept: { glyph: '▣', word: 'kept here', tone: 'plain' },
  failed: { glyph: '×', word: 'failed', tone: 'bad' },
  bounced: { glyph: '↩', word: 'bounced', tone: 'bad' },
  expired: { glyph: '◌', word: 'expired', tone: 'warn' },
  suppressed: { glyph: '⊘', word: 'suppressed', tone: 'warn' },
  unconfirmed: { glyph: '?', word: 'unconfirmed', tone: 'warn' },
}

export const options = <Value extends string>(words: Record<Value, string>) =>
  Object.entries(words).map(([value, label]) => ({ value, label: label as string }))
