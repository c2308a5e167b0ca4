import { readFileSync } from 'node:fs'
import { kinds, locales, carriesCode, type Locale, type MailKind } from './kinds.ts'

/** What a template consists of: four Liquid texts. */
export type TemplateContent = { subject: string; preheader: string; html: string; text: string }

type Texts = Record<'hello' | 'helloName' | 'codeLabel' | 'validity' | 'when' | 'where' | 'device', string> &
  Record<'help' | 'why', string> & {
    mails: Record<MailKind, Record<'subject' | 'preheader' | 'heading' | 'intro' | 'outro', string>>
  }

const read = (name: string) => readFileSync(new URL(`./builtin/${name}`, import.meta.url), 'utf8')

const layout = { html: read('layout.html'), text: read('layout.txt') }
const texts = Object.fromEntries(
  locales.map((locale) => [locale, JSON.parse(read(`${locale}.json`)) as Texts]),
) as Record<Locale, Texts>

/** Languages written from the right, so that adding one is adding its file. */
const rightToLeft = /^(ar|fa|he|ur)\b/

/** Which way a language is written. */
export const directionOf = (locale: string): 'ltr' | 'rtl' => (rightToLeft.test(locale) ? 'rtl' : 'ltr')

/**
 * The built-in mail of a kind in a language, as the template that an operator would start from: one layout, with the language's texts in
 * place of `[[name]]`, and what stands between `[[#code]]` and `[[/code]]` only in mails that carry one.
 */
export function builtin(kind: MailKind, locale: Locale): TemplateContent {
  return contents.get(`${kind} ${locale}`)!
}

/** What stands before the support address, in a language. */
export const helpIn = (locale: Locale): string => texts[locale].help

const contents = new Map(
  kinds.flatMap((kind) => locales.map((locale) => [`${kind} ${locale}`, compose(kind, locale)] as const)),
)

function compose(kind: MailKind, locale: Locale): TemplateContent {
  const { mails, ...labels } = texts[locale]
  const { subject, preheader, ...mail } = mails[kind]
  const direction = directionOf(locale)
  const sides = direction === 'rtl' ? { align: 'right', end: 'left' } : { align: 'left', end: 'right' }
  const values: Record<string, string> = { ...labels, ...mail, locale, dir: direction, ...sides }
  const fill = (text: string) =>
    text
      .replace(/\n? *\[\[#code\]\]([\s\S]*?)\n? *\[\[\/code\]\]/g, carriesCode(kind) ? '$1' : '')
      .replace(/\[\[(\w+)\]\]/g, (_, name: string) => values[name]!)
  return { subject, preheader, html: fill(layout.html), text: fill(layout.text) }
}
