import { Parser } from 'htmlparser2'

/** The skeleton of a page: its elements and the names of their attributes, in order. Values must not change it. */
export function structureOf(html: string): string {
  const parts: string[] = []
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        parts.push(`<${name} ${Object.keys(attributes).join(' ')}>`)
      },
      onclosetag(name) {
        parts.push(`</${name}>`)
      },
      oncomment() {
        parts.push('<!-->')
      },
    },
    { recognizeSelfClosing: false },
  )
  parser.end(html)
  return parts.join('')
}
