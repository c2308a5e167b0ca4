import type { App } from '#server/app/app.ts'
import { directionOf } from './builtin.ts'
import { readableOnWhite } from './readable.ts'
import { carriesCode, type Locale, type MailFacts, type MailKind } from './kinds.ts'

type Variable = {
  name: string
  about: string
  /** Where a link's or an image's address may be made of it: it is checked to be one. */
  url?: true
  /** Where a style may be made of it. */
  color?: true
  /** Said by the person or their device: anything may stand in it. */
  foreign?: true
  only?: 'code'
}

/** Everything a template may print. What a mail has no value for is the empty text. */
const catalogue: readonly Variable[] = [
  { name: 'app.name', about: 'The app’s name' },
  { name: 'app.logoUrl', about: 'Address of the app’s logo', url: true },
  { name: 'app.supportEmail', about: 'Where people write to for help' },
  { name: 'app.copyright', about: 'The copyright line' },
  { name: 'app.primaryColor', about: 'The app’s colour, such as #0064bf', color: true },
  { name: 'app.linkColor', about: 'The same, dark enough to be read on white', color: true },
  { name: 'user.name', about: 'How the person is called; may be empty', foreign: true },
  { name: 'code', about: 'The code to type in', only: 'code' },
  { name: 'minutes', about: 'For how many minutes the code is valid', only: 'code' },
  { name: 'time', about: 'When it happened, in the mail’s language, UTC' },
  { name: 'ip', about: 'Address the request came from; may be empty', foreign: true },
  { name: 'device', about: 'Device the request came from; may be empty', foreign: true },
  { name: 'locale', about: 'Language of the mail, such as pt-BR' },
  { name: 'dir', about: 'ltr, or rtl for languages written from the right' },
  { name: 'subject', about: 'The mail’s subject' },
  { name: 'preheader', about: 'The line that inboxes show beside the subject' },
]

/** What templates of a kind may print. */
export const variablesOf = (kind: MailKind): readonly Variable[] =>
  catalogue.filter((variable) => variable.only === undefined || carriesCode(kind))

/** What a template is rendered with; `subject` and `preheader` come when they are rendered themselves. */
export type Values = {
  app: {
    name: string
    logoUrl: string
    supportEmail: string
    copyright: string
    primaryColor: string
    linkColor: string
  }
  user: { name: string }
  code: string
  minutes: number
  time: string
  ip: string
  device: string
  locale: string
  dir: 'ltr' | 'rtl'
}

const DEFAULT_COLOR = '#2457d6'

/** The values of one mail: the app's branding as it is now, and what the flow told. */
export function valuesOf(
  app: App,
  facts: MailFacts,
  about: { locale: Locale; at: Date; expiresAt: Date | null },
): Values {
  const { branding } = app.settings
  const name = branding.appName ?? app.name
  const primaryColor = branding.primaryColor ?? DEFAULT_COLOR
  const format = new Intl.DateTimeFormat(about.locale, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
  return {
    app: {
      name: plain(name),
      logoUrl: branding.logoUrl ?? '',
      supportEmail: branding.supportEmail ?? '',
      copyright: plain(branding.copyright ?? `© ${about.at.getUTCFullYear()} ${name}`),
      primaryColor,
      linkColor: readableOnWhite(primaryColor),
    },
    user: { name: harmlessName(facts.userName ?? '') },
    code: plain(facts.code ?? ''),
    minutes: about.expiresAt ? Math.max(1, Math.round((about.expiresAt.getTime() - about.at.getTime()) / 60_000)) : 0,
    time: `${format.format(about.at)} UTC`,
    ip: cut(plain(facts.ip ?? ''), 45),
    device: cut(plain(facts.device ?? ''), 120),
    locale: about.locale,
    dir: directionOf(about.locale),
  }
}

/** One line without control characters, and without those that turn the direction of what follows. */
const plain = (text: string): string =>
  text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/gu, ' ').trim()

/** The beginning of a text, without half a character at its end. */
const cut = (text: string, most: number): string => text.slice(0, most).replace(/[\ud800-\udbff]$/, '')

/** Addresses, hosts (their dots as browsers read them) and telephone numbers: what mail programs make links of. */
const LINKED = /[/@:\\]|[\p{L}\p{N}-][.\u3002]\p{L}|www|(\p{Nd}[\s().-]*){7}/iu

/**
 * A person chooses their name, and a stranger may choose one to write to somebody else through us. What a mail program would make a link of is left out,
 * however wide its letters are and whatever stands unseen between them.
 */
function harmlessName(name: string): string {
  const line = cut(plain(name), 64)
  return LINKED.test(line.normalize('NFKC').replace(/\p{Cf}/gu, '')) ? '' : line
}
