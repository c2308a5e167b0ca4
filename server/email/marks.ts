import { Parser } from 'htmlparser2'
import type { App } from '#server/app/app.ts'
import type { Rendered } from './render.ts'
import type { Values } from './variables.ts'

/** The five things that every mail must show correctly. */
export const markNames = ['logo', 'appName', 'supportEmail', 'copyright', 'sender'] as const

export type Mark = {
  name: (typeof markNames)[number]
  /** `unset`: the app's settings hold no value for it, so no mail can show it. */
  state: 'ok' | 'missing' | 'unset'
  detail: string
}

export type Sender = { name: string; address: string }

/** Whether a rendered mail shows all five, as the app's settings have them. Hidden text does not count. */
export function checkMarks(app: App, rendered: Rendered, values: Values, sender: Sender): Mark[] {
  const seen = look(rendered.html)
  const { branding, email } = app.settings
  const text = squeeze(rendered.text)
  const mark = (name: Mark['name'], set: boolean, ok: boolean, right: string, wrong: string, unset: string): Mark =>
    !set
      ? { name, state: 'unset', detail: unset }
      : ok
        ? { name, state: 'ok', detail: right }
        : { name, state: 'missing', detail: wrong }
  const { name, logoUrl, supportEmail, copyright } = values.app
  // The name inside the copyright line or the address does not introduce anybody.
  const beside = (part: string) =>
    [copyright, supportEmail].reduce((rest, own) => (own ? rest.replaceAll(squeeze(own), '') : rest), part)
  const names = (part: string) => beside(part).includes(squeeze(name))
  const shows = (part: string) => seen.text.includes(squeeze(part)) && text.includes(squeeze(part))
  const logo = seen.images.find(({ src }) => src === logoUrl)
  return [
    mark(
      'logo',
      branding.logoUrl !== null,
      logo !== undefined && logo.alt.trim() !== '',
      'The logo is shown, with a text for who sees no images',
      logo ? 'Give the logo an alt text' : 'No image shows {{ app.logoUrl }}',
      'Set the app’s logo in its branding',
    ),
    mark(
      'appName',
      true,
      names(seen.text) && names(text),
      `“${name}” is in the HTML and in the text`,
      `“${name}” must be visible in the HTML and in the text`,
      '',
    ),
    mark(
      'supportEmail',
      branding.supportEmail !== null,
      shows(supportEmail) && seen.links.some((href) => href.toLowerCase() === `mailto:${supportEmail.toLowerCase()}`),
      `${supportEmail} is there, and a link`,
      `${supportEmail} must be visible in both parts, and a mailto: link in the HTML`,
      'Set the app’s support e-mail in its branding',
    ),
    mark(
      'copyright',
      true,
      shows(copyright),
      copyright,
      `“${copyright}” must be visible in the HTML and in the text`,
      '',
    ),
    mark(
      'sender',
      email.senderAddress !== null,
      sender.address === email.senderAddress && sender.name === (email.senderName ?? name),
      `${sender.name} <${sender.address}>`,
      `The sender is ${sender.name} <${sender.address}>, not as set`,
      'Set the app’s sender address under e-mail',
    ),
  ]
}

const HIDDEN = /display:none|visibility:hidden|font-size:0(px|pt|em|rem|%)?(;|$)|opacity:0(;|$)/

/** Visible text, images and links of a page. */
function look(html: string): { text: string; images: { src: string; alt: string }[]; links: string[] } {
  const images: { src: string; alt: string }[] = []
  const links: string[] = []
  const hidden: boolean[] = []
  let text = ''
  const parser = new Parser({
    onopentag(name, attributes) {
      const style = (attributes['style'] ?? '').replace(/\s/g, '').toLowerCase()
      const isHidden =
        hidden.at(-1) === true ||
        HIDDEN.test(style) ||
        'hidden' in attributes ||
        ['style', 'title', 'head'].includes(name)
      hidden.push(isHidden)
      if (isHidden) return
      if (name === 'img') images.push({ src: attributes['src'] ?? '', alt: attributes['alt'] ?? '' })
      if (name === 'a' && attributes['href']) links.push(attributes['href'])
      if (/^(p|div|td|tr|br|h\d|li)$/.test(name)) text += ' '
    },
    ontext(part) {
      if (hidden.at(-1) !== true) text += part
    },
    onclosetag() {
      hidden.pop()
    },
  })
  parser.end(html)
  return { text: squeeze(text), images, links }
}

const squeeze = (text: string): string => text.replace(/\s+/g, ' ').trim()
