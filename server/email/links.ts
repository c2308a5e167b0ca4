import { Parser } from 'htmlparser2'
import type { Finding } from './finding.ts'

/** Whether links and images of a rendered mail can work. Nothing is fetched: what a link leads to is the operator's to know. */
export function checkLinks(html: string): Finding[] {
  const findings: Finding[] = []
  const say = (level: Finding['level'], code: string, message: string) =>
    findings.push({ part: 'html', level, code, message })
  const parser = new Parser({
    onopentag(name, { href, src, alt }) {
      if (name === 'a' && href !== undefined) checkLink(href.trim())
      if (name !== 'img') return
      if (!/^(https:|cid:)/i.test(src ?? ''))
        say('warning', 'image', `An image must be at an https address, not ${JSON.stringify((src ?? '').slice(0, 80))}`)
      if (/\.svg([?#]|$)/i.test(src ?? '')) say('warning', 'svg', 'Gmail and Outlook show no SVG; use a PNG')
      if (alt === undefined) say('warning', 'alt', 'An image has no alt text')
    },
  })
  parser.end(html)
  return findings

  function checkLink(href: string): void {
    if (/^mailto:/i.test(href)) {
      if (!/^mailto:[^@\s]+@[^@\s]+$/i.test(href))
        say('warning', 'link', `${JSON.stringify(href.slice(0, 80))} is no mail address`)
    } else if (/^https:/i.test(href)) {
      if (!URL.canParse(href)) say('error', 'link', `${JSON.stringify(href.slice(0, 80))} is not an address`)
    } else if (/^tel:/i.test(href)) return
    else
      say('warning', 'link', `A link should begin with https:// or mailto:, not ${JSON.stringify(href.slice(0, 80))}`)
  }
}
