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

/** Nobody reads more at once. */
export const MOST_FINDINGS = 100

/** Line and column, from 1, of places in a text. */
export function createPlaces(source: string): (offset: number) => { line: number; column: number } {
  const ends = [...source.matchAll(/\n/g)].map(({ index }) => index)
  return (offset) => {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ends[middle]! < offset) low = middle + 1
      else high = middle
    }
    return { line: low + 1, column: offset - (ends[low - 1] ?? -1) }
  }
}
