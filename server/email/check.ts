import type { App } from '#server/app/app.ts'
import type { TemplateContent } from './builtin.ts'
import { checkContexts } from './contexts.ts'
import { liquidFault, MOST_SOURCE, parseLiquid, variablesIn } from './engine.ts'
import { MOST_FINDINGS, type Finding } from './finding.ts'
import { carriesCode, type Locale, type MailKind } from './kinds.ts'
import { checkLinks } from './links.ts'
import { checkMarks, type Mark, type Sender } from './marks.ts'
import { render, renderSoon, type Rendered } from './render.ts'
import { sampleValues } from './sample.ts'
import { structureOf } from './structure.ts'
import { variablesOf, type Values } from './variables.ts'

/** Gmail cuts a mail off near 102 KB, together with what stands at its end. */
const MOST_HTML = 102_400
const MUCH_HTML = 92_160
const MOST_ELEMENTS = 5_000

export type Checked = { findings: Finding[]; marks: Mark[]; ok: boolean }

type About = { app: App; kind: MailKind; locale: Locale; at: Date; sender: Sender }

/** Everything that can be said of a template before a mail is made of it. `ok` when it may be published. */
export function checkTemplate(content: TemplateContent, about: About): Checked {
  const findings = checkSource(content, about.kind)
  let marks: Mark[] = []
  if (!findings.some(({ level }) => level === 'error')) {
    const values = sampleValues(about.app, about.kind, about.locale, about.at)
    try {
      const rendered = renderSoon(content, values)
      const [tooMuch] = checkSize(rendered)
      if (tooMuch?.level === 'error') return { findings: [...findings, tooMuch], marks, ok: false }
      marks = checkMarks(about.app, rendered, values, about.sender)
      findings.push(...ofMarks(marks), ...checkRendered(rendered, about.kind, values))
      for (const set of ['hostile', 'bare'] as const) {
        const others = sampleValues(about.app, about.kind, about.locale, about.at, set)
        findings.push(...checkStructure(content, renderSoon(content, others), others, renderSoon))
      }
    } catch (error) {
      findings.push(renderFault(error))
    }
  }
  const ok = !findings.some(({ level }) => level === 'error')
  findings.sort((a, b) => Number(b.level === 'error') - Number(a.level === 'error'))
  return { findings: findings.slice(0, MOST_FINDINGS), marks, ok }
}

/** What must hold of one mail in the moment it leaves; the reason it must not, or undefined. */
export function checkMail(
  content: TemplateContent,
  rendered: Rendered,
  values: Values,
  about: About,
): string | undefined {
  const source = checkSource(content, about.kind).find(({ level }) => level === 'error')
  if (source) return `${source.part}: ${source.message}`
  const tooMuch = checkSize(rendered).find(({ level }) => level === 'error')
  if (tooMuch) return tooMuch.message
  const mark = checkMarks(about.app, rendered, values, about.sender).find(({ state }) => state === 'missing')
  if (mark) return mark.detail
  const more = [...checkRendered(rendered, about.kind, values), ...checkStructure(content, rendered, values, render)]
  return more.find(({ level }) => level === 'error')?.message
}

/** Syntax, variables and contexts: what the source says without any value. */
function checkSource(content: TemplateContent, kind: MailKind): Finding[] {
  const known = variablesOf(kind)
  const findings: Finding[] = []
  for (const part of ['subject', 'preheader', 'html', 'text'] as const) {
    const source = content[part]
    const say = (finding: Omit<Finding, 'part' | 'level'>) => findings.push({ part, level: 'error', ...finding })
    if (source.length > MOST_SOURCE) {
      say({ code: 'too_long', message: `This is longer than ${MOST_SOURCE} characters` })
      continue
    }
    if (source.trim() === '')
      say({
        code: 'empty',
        message: part === 'text' ? 'Write the text part: some people see nothing else' : 'This is empty',
      })
    if (source.includes('\0')) say({ code: 'control', message: 'There is a character in it that no mail can hold' })
    try {
      const used = variablesIn(parseLiquid(source, part === 'html' ? 'html' : 'none'))
      for (const { name, line, column } of used) {
        const fits = known.some((variable) => variable.name === name)
        const early =
          (name === 'subject' && part === 'subject') ||
          (name === 'preheader' && (part === 'subject' || part === 'preheader'))
        if (!fits || early)
          say({ code: 'unknown_variable', message: `There is no variable ${name} here`, line, column })
        if (name === 'code' && (part === 'subject' || part === 'preheader'))
          say({
            code: 'code_in_header',
            message: 'Keep the code out of the subject and the preheader: they show on locked screens and in logs',
            line,
            column,
          })
      }
      if (carriesCode(kind) && (part === 'html' || part === 'text') && !used.some(({ name }) => name === 'code'))
        say({ code: 'missing_variable', message: 'The code is missing: print {{ code }}' })
    } catch (error) {
      say({ code: 'syntax', ...liquidFault(error) })
    }
  }
  return [...findings, ...checkContexts(content.html, known)]
}

/** What Gmail would cut off; and more elements than anybody writes, which only cost time to look at. */
function checkSize({ html }: Rendered): Finding[] {
  const about = { part: 'html', code: 'size' } as const
  const bytes = Buffer.byteLength(html)
  const message = `The HTML weighs ${Math.round(bytes / 1024)} KB; Gmail cuts it off at 100`
  if (bytes > MOST_HTML) return [{ ...about, level: 'error', message }]
  if (html.split('<').length > MOST_ELEMENTS)
    return [{ ...about, level: 'error', message: `A mail may hold ${MOST_ELEMENTS} elements` }]
  return bytes > MUCH_HTML ? [{ ...about, level: 'warning', message }] : []
}

function checkRendered(rendered: Rendered, kind: MailKind, values: Values): Finding[] {
  const findings = checkSize(rendered)
  if (rendered.subject === '' || rendered.subject.length > 200)
    findings.push({
      part: 'subject',
      level: 'error',
      code: 'subject',
      message: 'The subject must be 1 to 200 characters',
    })
  if (rendered.text.trim() === '')
    findings.push({ part: 'text', level: 'error', code: 'empty', message: 'The text part is empty' })
  if (carriesCode(kind))
    for (const part of ['html', 'text'] as const)
      if (!rendered[part].includes(values.code))
        findings.push({ part, level: 'error', code: 'code_missing', message: 'The code does not show' })
  return [...findings, ...checkLinks(rendered.html)]
}

/** What people and devices say of themselves must not change which elements a mail has. */
function checkStructure(
  content: TemplateContent,
  rendered: Rendered,
  values: Values,
  again: typeof renderSoon,
): Finding[] {
  const neutral = (text: string) => (text === '' ? '' : 'x')
  const calm = again(content, {
    ...values,
    user: { name: neutral(values.user.name) },
    ip: neutral(values.ip),
    device: neutral(values.device),
  })
  if (structureOf(calm.html) === structureOf(rendered.html)) return []
  return [{ part: 'html', level: 'error', code: 'structure', message: 'A value changes which elements the mail has' }]
}

const ofMarks = (marks: Mark[]): Finding[] =>
  marks.flatMap((mark): Finding[] =>
    mark.state === 'ok'
      ? []
      : mark.state === 'unset'
        ? [{ part: 'settings', level: 'warning', code: `${mark.name}_unset`, message: mark.detail }]
        : [{ part: 'html', level: 'error', code: `${mark.name}_missing`, message: mark.detail }],
  )

function renderFault(error: unknown): Finding {
  const { part = 'html' } = error as { part?: Finding['part'] }
  return { part, level: 'error', code: 'render', ...liquidFault(error) }
}
