import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser'
import { IntlMessageFormat } from 'intl-messageformat'
import { AppError, type FieldError } from '#server/error.ts'
import type { EventType, Texts } from './catalogue.ts'
import { toText } from './exactJson.ts'

const MOST_COMPILED = 2_000
let compiled = new Map<string, { message: IntlMessageFormat; absent: Record<string, string> }>()

/**
 * Title and body of an event in the first of `locales` that has texts, else in English. Values go in as they were written: an amount is
 * never formatted as a number.
 */
export function render(
  type: Pick<EventType, 'templates'>,
  content: Record<string, unknown>,
  more: { locales: readonly (string | undefined)[]; rewardName: string },
): Texts & { locale: string } {
  const locale = chooseLocale(type.templates, more.locales)
  const { title, body } = type.templates[locale]!
  const given = Object.entries(content).filter(([, value]) => value !== null)
  const values = Object.fromEntries([
    ...given.map(([name, value]) => [name, toText(value)] as const),
    // Last: it is the app's setting, and not the event's to say.
    ['rewardName', more.rewardName],
  ])
  return { locale, title: format(title, locale, values), body: format(body, locale, values) }
}

function chooseLocale(templates: Record<string, Texts>, wanted: readonly (string | undefined)[]): string {
  const offered = Object.keys(templates)
  if (offered.length > 1) {
    for (const tag of wanted) {
      if (tag === undefined) continue
      const lower = tag.toLowerCase()
      const [language] = lower.split('-')
      const exact = offered.find((name) => name.toLowerCase() === lower)
      const found = exact ?? offered.find((name) => name.toLowerCase().split('-')[0] === language)
      if (found) return found
    }
  }
  return templates['en'] ? 'en' : offered[0]!
}

function format(template: string, locale: string, values: Record<string, string>): string {
  const key = `${locale}\n${template}`
  let known = compiled.get(key)
  if (!known) {
    const ast = asGiven(parse(template, { ignoreTag: true }))
    if (compiled.size >= MOST_COMPILED) compiled = new Map()
    known = { message: new IntlMessageFormat(ast, locale), absent: absentValues(ast) }
    compiled.set(key, known)
  }
  return String(known.message.format({ ...known.absent, ...values }))
}

/** `#` is the value as it came, like every other: Intl would group its digits and drop its zeros. With an offset it is another number, and stays. */
function asGiven(ast: MessageFormatElement[], counted?: string): MessageFormatElement[] {
  return ast.map((element): MessageFormatElement => {
    if (element.type === TYPE.pound && counted !== undefined) return { type: TYPE.argument, value: counted }
    if (element.type !== TYPE.select && element.type !== TYPE.plural) return element
    const inside = element.type === TYPE.select ? counted : element.offset ? undefined : element.value
    const options = Object.entries(element.options).map(([name, option]) => [
      name,
      { ...option, value: asGiven(option.value, inside) },
    ])
    return { ...element, options: Object.fromEntries(options) as typeof element.options } as MessageFormatElement
  })
}

/** What a variable is while the content lacks it: `none` where a text selects by it, so that a line can be left out, else nothing. */
function absentValues(ast: MessageFormatElement[]): Record<string, string> {
  const values: Record<string, string> = {}
  walk(ast, (element) => {
    if (element.type === TYPE.select) values[element.value] = 'none'
    else values[element.value] ??= element.type === TYPE.plural ? '0' : ''
  })
  return values
}

type Argument = Exclude<MessageFormatElement, { type: TYPE.literal | TYPE.pound | TYPE.tag }>

function walk(ast: MessageFormatElement[], visit: (element: Argument) => void): void {
  for (const element of ast) {
    if (element.type === TYPE.literal || element.type === TYPE.pound) continue
    if (element.type === TYPE.tag) {
      walk(element.children, visit)
      continue
    }
    visit(element)
    if (element.type === TYPE.select || element.type === TYPE.plural)
      for (const option of Object.values(element.options)) walk(option.value, visit)
  }
}

/** What is wrong with texts, given the members that content can have: syntax, unknown names, and formats that would change an amount. */
export function checkTexts(texts: Texts, names: ReadonlySet<string>, at: string): FieldError[] {
  return (['title', 'body'] as const).flatMap((part) => {
    const path = `${at}.${part}`
    let ast: MessageFormatElement[]
    try {
      ast = parse(texts[part], { ignoreTag: true })
    } catch (error) {
      return [{ path, message: `is not ICU MessageFormat: ${(error as Error).message}` }]
    }
    const faults: FieldError[] = []
    walk(ast, (element) => {
      const { value } = element
      if (!names.has(value) && value !== 'rewardName')
        faults.push({ path, message: `names {${value}}, which the schema does not have` })
      if (element.type === TYPE.number || element.type === TYPE.date || element.type === TYPE.time)
        faults.push({
          path,
          message: `formats {${value}} as a number or time; write {${value}} alone, values go out as they came`,
        })
    })
    return faults
  })
}

/** @throws AppError invalid_request with every fault of the texts */
export function assertTexts(templates: Record<string, Texts>, schema: Record<string, unknown>): void {
  const names = new Set(Object.keys((schema['properties'] as object | undefined) ?? {}))
  const errors = Object.entries(templates).flatMap(([locale, texts]) => {
    if (Intl.DateTimeFormat.supportedLocalesOf(locale).length === 0)
      return [{ path: `templates.${locale}`, message: 'is not a locale that is known here' }]
    return checkTexts(texts, names, `templates.${locale}`)
  })
  if (errors.length > 0) throw new AppError('invalid_request', 'The texts do not fit; see errors', { errors })
}
