/** What a check found. An error keeps a template from being published and sent; a warning and a note do not. */
export type Finding = {
  part: 'subject' | 'preheader' | 'html' | 'text' | 'settings'
  level: 'error' | 'warning' | 'note'
  /** A stable word. */
  code: string
  message: string
  line?: number
  column?: number
  /** Mail programs it concerns. */
  clients?: string[]
}

/** Line and column, from 1, of a place in a text. */
export function placeOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}
