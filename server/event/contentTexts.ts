import { AppError, type FieldError } from '#server/error.ts'

/** Receivers' parsers stop at some depth; what none of them needs is refused here. */
const MOST_DEPTH = 500

type Frame = { names: Set<string> | undefined; name: string; index: number }

/**
 * The `content` of each event of a body, as it was written: members in their order, names and texts with their escapes, numbers with their digits,
 * and nothing left out but the blanks between. JavaScript's own objects would put members with the names of numbers first.
 * @param text JSON that has been parsed already: one event, or an array of them
 * @throws AppError invalid_request for what stands twice (of which two readers could take two meanings) and for what is nested too deeply
 */
export function contentTexts(text: string): string[] {
  const json = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, string?: string) => string ?? '')
  const many = json.startsWith('[')
  const ofEvent = many ? 2 : 1
  const stack: Frame[] = []
  const texts: string[] = []
  const faults: FieldError[] = []
  let begin = -1
  let named = false
  for (let at = 0; at < json.length; at++) {
    const top = stack.at(-1)
    switch (json[at]) {
      case '{':
      case '[':
        if (stack.length >= MOST_DEPTH) throw tooDeep()
        if (stack.length === ofEvent && top?.name === 'content') begin = at
        stack.push({ names: json[at] === '{' ? new Set() : undefined, name: '', index: 0 })
        named = false
        break
      case '}':
      case ']':
        stack.pop()
        if (stack.length === ofEvent && begin >= 0) {
          texts[many ? stack[0]!.index : 0] = json.slice(begin, at + 1)
          begin = -1
        }
        named = true
        break
      case ',':
        top!.index++
        named = false
        break
      case '"': {
        const end = endOfString(json, at)
        if (top?.names && !named) {
          top.name = readString(json.slice(at, end))
          if (top.names.has(top.name)) faults.push({ path: pathOf(stack), message: 'stands here more than once' })
          top.names.add(top.name)
          named = true
        }
        at = end - 1
      }
    }
  }
  if (faults.length > 0)
    throw new AppError('invalid_request', 'The input does not fit; see errors', { errors: faults.slice(0, 200) })
  return texts
}

export const tooDeep = () =>
  new AppError('invalid_request', `The body is nested more than ${MOST_DEPTH} levels deep; send it flatter`)

function endOfString(json: string, at: number): number {
  let end = at + 1
  while (json[end] !== '"') end += json[end] === '\\' ? 2 : 1
  return end + 1
}

const readString = (quoted: string): string =>
  quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)

const pathOf = (stack: Frame[]): string => stack.map(({ names, name, index }) => (names ? name : index)).join('.')
