import { Liquid, Tokenizer, TokenKind } from 'liquidjs'

/** Every tag that a template may use. No file is read, nothing is defined, nothing repeats. */
const TAGS = ['if', 'unless', 'case', 'comment']
const FILTERS = ['default', 'upcase', 'downcase', 'capitalize', 'truncate', 'strip', 'append', 'prepend', 'url_encode']

function engine(escape: boolean): Liquid {
  const liquid = new Liquid({
    templates: {},
    relativeReference: false,
    dynamicPartials: false,
    ownPropertyOnly: true,
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    jsTruthy: true,
    parseLimit: 200_000,
    renderLimit: 100,
    memoryLimit: 2_000_000,
    ...(escape && { outputEscape: 'escape' }),
  })
  for (const tag of Object.keys(liquid.tags)) if (!TAGS.includes(tag)) delete liquid.tags[tag]
  for (const filter of Object.keys(liquid.filters))
    if (!FILTERS.includes(filter) && filter !== 'escape') delete liquid.filters[filter]
  return liquid
}

const html = engine(true)
const plain = engine(false)
// Escaping is not the template's to choose: what stands in HTML is escaped, what stands in text is not.
delete plain.filters['escape']

/** Fills one part of a template; in HTML every value is escaped. @throws Error with line and column for what cannot be parsed or filled */
export function fill(source: string, values: Record<string, string>, part: 'html' | 'text'): string {
  const liquid = part === 'html' ? html : plain
  return liquid.parseAndRenderSync(source, values) as string
}

export type Output = { begin: number; end: number; expression: string; variables: string[]; filters: string[] }

export type Parsed = {
  outputs: Output[]
  /** Names of all variables, those of conditions included, with the place where each stands first. */
  variables: Map<string, number>
  tags: { begin: number; end: number }[]
}

/** What a template is made of. @throws Error for what the engine refuses */
export function parseLiquid(source: string, part: 'html' | 'text'): Parsed {
  const liquid = part === 'html' ? html : plain
  liquid.parse(source)
  const outputs: Output[] = []
  const tags: Parsed['tags'] = []
  const variables = new Map<string, number>()
  for (const token of new Tokenizer(source).readTopLevelTokens()) {
    const { begin, end } = token
    if (token.kind === TokenKind.Output) {
      const expression = source.slice(begin, end).replace(/^\{\{-?|-?\}\}$/g, '')
      const [value = '', ...filters] = withoutTexts(expression).split('|')
      outputs.push({
        begin,
        end,
        expression: expression.trim(),
        variables: namesIn([value, ...filters.map((filter) => filter.split(':')[1] ?? '')].join(' ')),
        filters: filters.map((filter) => filter.trim().split(/[\s:]/, 1)[0]!),
      })
    } else if (token.kind === TokenKind.Tag) {
      const inner = source.slice(begin, end).replace(/^\{%-?\s*|\s*-?%\}$/g, '')
      tags.push({ begin, end })
      if (/^(if|elsif|unless|case|when)\b/.test(inner))
        for (const name of namesIn(withoutTexts(inner.replace(/^\w+/, ''))))
          if (!variables.has(name)) variables.set(name, begin)
    }
  }
  for (const output of outputs)
    for (const name of output.variables) if (!variables.has(name)) variables.set(name, output.begin)
  return { outputs, variables, tags }
}

const withoutTexts = (expression: string) => expression.replace(/'[^']*'|"[^"]*"/g, ' ')

const WORDS = new Set(['and', 'or', 'not', 'contains', 'true', 'false', 'nil', 'null', 'empty', 'blank'])
const namesIn = (expression: string): string[] => [
  ...new Set(
    [...expression.matchAll(/(?<![\w.])[A-Za-z_]\w*/g)].map(([name]) => name).filter((name) => !WORDS.has(name)),
  ),
]

/** Line and column, both from 1, of an offset in a text. */
export function placeOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset)
  const line = before.split('\n').length
  return { line, column: offset - before.lastIndexOf('\n') }
}
