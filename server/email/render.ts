import type { TemplateContent } from './builtin.ts'
import { parseLiquid, renderLiquid, tookTooLong } from './engine.ts'
import type { Values } from './variables.ts'

/** A template filled in: what a mail consists of. */
export type Rendered = TemplateContent

/** What one part may take: what somebody is still writing, and what was found to be quick before and is sent from a machine that may be busy. */
const SOON_MS = 400
export const AT_LAST_MS = 5_000

/** Renders what nobody has looked at yet. @throws Error when it takes too long twice (the first time may have been the machine's fault), and as `render` */
export function renderSoon(content: TemplateContent, values: object): Rendered {
  try {
    return render(content, values, SOON_MS)
  } catch (error) {
    if (!tookTooLong(error)) throw error
    return render(content, values, SOON_MS)
  }
}

/** @throws Error of the first part that cannot be rendered; `part` tells which */
export function render(content: TemplateContent, values: object, mostMs = AT_LAST_MS): Rendered {
  const one = (part: keyof TemplateContent, more?: object): string => {
    const escaping = part === 'html' ? 'html' : 'none'
    try {
      return renderLiquid(parseLiquid(content[part], escaping), { ...values, ...more }, escaping, mostMs)
    } catch (error) {
      throw Object.assign(error as Error, { part })
    }
  }
  const subject = oneLine(one('subject'))
  const preheader = oneLine(one('preheader', { subject }))
  const lines = { subject, preheader }
  return {
    subject,
    preheader,
    html: one('html', lines),
    text:
      one('text', lines)
        .replace(/\n{3,}/g, '\n\n')
        .trim() + '\n',
  }
}

/** A header holds one line; what would begin another is a blank. */
const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()

/** The same mail with its code covered, for eyes that may not see it. */
export const COVERED = '••••••'

export const covered = (values: Values): Values => (values.code === '' ? values : { ...values, code: COVERED })
