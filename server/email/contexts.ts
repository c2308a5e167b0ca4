import { Tokenizer } from 'htmlparser2'
import { tagsOf } from './engine.ts'
import { createPlaces, MOST_FINDINGS, type Finding } from './finding.ts'
import type { variablesOf } from './variables.ts'

/** Elements that a mail must not hold: they run, load, send, or change what links mean. */
const FORBIDDEN = new Set(
  'script iframe frame frameset object embed applet form input button select textarea link base noscript template svg math audio video portal'.split(
    ' ',
  ),
)
const ADDRESSES = new Set([
  'href',
  'src',
  'background',
  'action',
  'formaction',
  'poster',
  'cite',
  'longdesc',
  'xlink:href',
])
/** Attributes in which escaped text is only text. */
const TEXTUAL = new Set([
  'alt',
  'title',
  'aria-label',
  'lang',
  'dir',
  'class',
  'id',
  'align',
  'summary',
  'abbr',
  'name',
])
const COLORS = new Set(['bgcolor', 'color', 'style'])

/** Takes the place of every character of an output, so that all offsets stay what they are: a letter, because a value can begin with one. */
const MARK = 'x'

type Output = { start: number; end: number; expression: string }
type Variables = ReturnType<typeof variablesOf>

/**
 * Looks at the HTML context of every output of a template, and at what no mail may hold: escaping makes a value harmless in text and in
 * quoted attributes of text, and nowhere else. @param html the template's source
 */
export function checkContexts(html: string, variables: Variables): Finding[] {
  const findings: Finding[] = []
  const { masked, outputs } = mask(html)
  const placeOf = createPlaces(html)
  const say = (offset: number, code: string, message: string) => {
    if (findings.length < MOST_FINDINGS)
      findings.push({ part: 'html', level: 'error', code, message, ...placeOf(offset) })
  }
  // The tokenizer goes from left to right, and so do the outputs; attributes alone look back, to where their value began.
  let first = 0
  const within = (start: number, end: number) => {
    while (first > 0 && outputs[first - 1]!.end > start) first--
    while (first < outputs.length && outputs[first]!.end <= start) first++
    let last = first
    while (last < outputs.length && outputs[last]!.start < end) last++
    return outputs.slice(first, last)
  }
  const isOnly = (output: Output, flag: 'url' | 'color') =>
    variables.some((variable) => variable[flag] && variable.name === output.expression)

  let element = ''
  let inStyle = false
  let attribute = ''
  let valueAt: number | undefined
  let isRefresh = false

  function endAttribute(quote: number, end: number): void {
    const start = valueAt ?? end
    const value = masked.slice(start, end)
    valueAt = undefined
    const name = attribute
    if (name.startsWith('on')) return void say(start, 'handler', `${name}= would run code; mails hold none`)
    if (name === 'srcdoc' || name === 'srcset') return void say(start, 'forbidden_attribute', `${name}= is not allowed`)
    if (element === 'meta' && name === 'http-equiv' && /refresh/i.test(value)) isRefresh = true
    if (isRefresh) return void say(start, 'refresh', 'A mail must not lead elsewhere by itself')
    if (ADDRESSES.has(name)) checkAddress(name, value, start)
    if (name === 'style') checkStyle(value, start)
    for (const output of within(start, end)) {
      if (quote < 2)
        say(output.start, 'unquoted', `Put the value of ${name}= in quotes: a space in it would begin a new attribute`)
      else if (ADDRESSES.has(name)) checkAddressOutput(output, value.slice(0, output.start - start), start, html)
      else if (COLORS.has(name)) {
        if (!isOnly(output, 'color'))
          say(
            output.start,
            'style_output',
            `Only app.primaryColor and app.linkColor can stand in ${name}=; ${output.expression} could change how all looks`,
          )
      } else if (!TEXTUAL.has(name) && !name.startsWith('data-'))
        say(output.start, 'attribute_output', `No output can stand in ${name}=`)
    }
  }

  function checkAddress(name: string, value: string, at: number): void {
    // Browsers skip controls and blanks when they look for the scheme.
    const compact = decode(value)
      .replace(/[\u0000-\u0020]/g, '')
      .toLowerCase()
    if (/^(javascript|vbscript|data|file|blob):/.test(compact))
      say(at, 'dangerous_address', `${name}= begins with ${compact.split(':')[0]}:, which mail programs block or run`)
  }

  function checkAddressOutput(output: Output, before: string, start: number, source: string): void {
    const prefix = source.slice(start, output.start)
    const fixed = /^(https:\/\/[^\s/?#{}]+[/?#]|mailto:|tel:)/i.test(prefix)
    const whole = before === '' && isOnly(output, 'url')
    if (!fixed && !whole)
      say(
        output.start,
        'address_output',
        `Begin the address with https://host/ or mailto: before ${output.expression}; a value must not choose where a link leads`,
      )
  }

  function checkStyle(value: string, at: number): void {
    const compact = decode(value)
      .replace(/\/\*.*?\*\/|\s/gs, '')
      .toLowerCase()
    if (/url\(|expression\(|@import|behavior:|-moz-binding|\\/.test(compact))
      say(at, 'style_load', 'A style must not load anything or hold backslashes')
  }

  const tokenizer: Tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: false },
    {
      onopentagname(start, end) {
        element = masked.slice(start, end).toLowerCase()
        isRefresh = false
        if (FORBIDDEN.has(element))
          say(start, 'forbidden_element', `<${element}> does not work in mails and is not allowed`)
        for (const output of within(start, end)) say(output.start, 'tag_output', 'A value must not name an element')
        inStyle = element === 'style'
      },
      onclosetag(start, end) {
        for (const output of within(start, end)) say(output.start, 'tag_output', 'A value must not name an element')
        inStyle = false
      },
      ontext(start, end) {
        if (!inStyle) return
        checkStyle(masked.slice(start, end), start)
        for (const output of within(start, end))
          if (!isOnly(output, 'color'))
            say(
              output.start,
              'style_output',
              `Only app.primaryColor and app.linkColor can stand in <style>; ${output.expression} could change how all looks`,
            )
      },
      onattribname(start, end) {
        attribute = masked.slice(start, end).toLowerCase()
        for (const output of within(start, end))
          say(output.start, 'tag_output', 'A value must not stand where an attribute is named; put it between quotes')
      },
      onattribdata(start) {
        valueAt ??= start
      },
      onattribend(quote, end) {
        endAttribute(quote, end)
      },
      oncomment(start, end) {
        for (const output of within(start, end))
          say(output.start, 'comment_output', 'Take this output out of the comment: a value could end it')
      },
      ondeclaration(start, end) {
        for (const output of within(start, end)) say(output.start, 'tag_output', 'No output can stand here')
      },
      onprocessinginstruction(start, end) {
        for (const output of within(start, end)) say(output.start, 'tag_output', 'No output can stand here')
      },
      oncdata() {},
      onattribentity() {},
      ontextentity() {},
      onopentagend() {},
      onselfclosingtag() {},
      onend() {},
    },
  )
  tokenizer.write(masked)
  tokenizer.end()
  return findings
}

/** Outputs become marks and tags become blanks, of the same length. */
function mask(html: string): { masked: string; outputs: Output[] } {
  const outputs: Output[] = []
  let masked = ''
  let at = 0
  for (const { start, end, isOutput } of tagsOf(html).tags) {
    const whole = html.slice(start, end)
    if (isOutput) outputs.push({ start, end, expression: whole.slice(2, -2).replace(/^-|-$/g, '').trim() })
    masked += html.slice(at, start) + (isOutput ? MARK.repeat(whole.length) : whole.replace(/[^\n]/g, ' '))
    at = end
  }
  return { masked: masked + html.slice(at), outputs }
}

/** Numeric and the few named entities with which a scheme can be hidden. */
const decode = (text: string): string =>
  text
    .replace(/&#x([0-9a-f]{1,6});?/gi, (_, hex: string) => character(parseInt(hex, 16)))
    .replace(/&#(\d{1,7});?/g, (_, digits: string) => character(Number(digits)))
    .replace(/&(colon|tab|newline);/gi, (_, name: string) => (name.toLowerCase() === 'colon' ? ':' : ' '))

const character = (code: number) => (code <= 0x10ffff ? String.fromCodePoint(code) : '')
