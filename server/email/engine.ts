import { Liquid, type Template } from 'liquidjs'
import { createRemembered } from '#server/secret/remembered.ts'

/** What operators may use of Liquid. Everything that reads files, leaves the escaping, or is of no use in a mail is taken out. */
const TAGS = ['assign', 'break', 'capture', 'case', 'comment', 'continue', 'for', 'if', 'unless']
const FILTERS = [
  ...['append', 'capitalize', 'default', 'downcase', 'first', 'last', 'prepend', 'replace', 'size', 'slice'],
  ...['strip', 'truncate', 'upcase', 'url_encode', 'plus', 'minus', 'times', 'divided_by', 'modulo', 'round'],
]

/** Characters of one template; Liquid's outputs and tags in it, and characters of each: what takes them apart takes longer than there are of them. */
export const MOST_SOURCE = 100_000
const MOST_TAGS = 1_000
const MOST_TAG = 1_000
/** Characters held while one is filled in. */
const LIMITS = { parseLimit: MOST_SOURCE, memoryLimit: 2_000_000 }
const MOST_OUTPUT = 500_000

/** Escapes every output for HTML, or none for plain text. */
export type Escaping = 'html' | 'none'

const engines: Record<Escaping, Liquid> = { html: createEngine('html'), none: createEngine('none') }

function createEngine(escaping: Escaping): Liquid {
  const engine = new Liquid({
    ...LIMITS,
    ...(escaping === 'html' && { outputEscape: escapeHtml }),
    ownPropertyOnly: true,
    strictVariables: true,
    strictFilters: true,
    // A template names no other: there is no file system behind this.
    templates: {},
    relativeReference: false,
    dynamicPartials: false,
  })
  for (const tag of Object.keys(engine.tags)) if (!TAGS.includes(tag) && tag !== '#') delete engine.tags[tag]
  for (const filter of Object.keys(engine.filters)) if (!FILTERS.includes(filter)) delete engine.filters[filter]
  return engine
}

/** Every character that can end a text or a quoted attribute. */
export function escapeHtml(value: unknown): string {
  return textOf(value).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''

/** The parsed template. @throws Error with the place of the fault */
export function parseLiquid(source: string, escaping: Escaping): Template[] {
  const key = escaping + source
  const known = parsed.get(key)
  if (known) return known
  const fault = tagsOf(source).fault
  if (fault) throw new Error(fault)
  const templates = engines[escaping].parse(source)
  parsed.add(key, templates)
  return templates
}

export type Tag = { start: number; end: number; isOutput: boolean }

/** Where Liquid's outputs and tags stand, in one pass, up to the first that is not closed; and whether there are more, or longer ones, than a mail needs. */
export function tagsOf(source: string): { tags: Tag[]; fault?: string } {
  const tags: Tag[] = []
  let at = 0
  while (tags.length <= MOST_TAGS) {
    const start = beginOf(source, at)
    if (start === undefined) return { tags }
    const isOutput = source[start + 1] === '{'
    const close = source.indexOf(isOutput ? '}}' : '%}', start + 2)
    if (close < 0) return source.length - start > MOST_TAG ? { tags, fault: LONG } : { tags }
    at = close + 2
    if (at - start > MOST_TAG) return { tags, fault: LONG }
    tags.push({ start, end: at, isOutput })
  }
  return { tags, fault: `A template may hold ${MOST_TAGS} outputs and tags` }
}

const LONG = `An output or tag may have ${MOST_TAG} characters`

function beginOf(source: string, from: number): number | undefined {
  for (let at = source.indexOf('{', from); at >= 0; at = source.indexOf('{', at + 1))
    if (source[at + 1] === '{' || source[at + 1] === '%') return at
  return undefined
}

/** The same few templates are sent, and looked at from all sides at every keystroke. */
const parsed = createRemembered<Template[]>(100)

/** Variables that a template takes from outside, by full name, each with where it stands. */
export function variablesIn(templates: Template[]): { name: string; line: number; column: number }[] {
  const { globals } = engines.none.analyzeSync(templates, { partials: false })
  return Object.values(globals).flatMap((uses) =>
    uses.map((use) => ({
      name: use.segments.map((segment) => (typeof segment === 'string' ? segment : '?')).join('.'),
      line: use.location.row,
      column: use.location.col,
    })),
  )
}

/** A template filled with values. @throws Error when a variable is missing or a limit is reached */
export function renderLiquid(templates: Template[], values: object, escaping: Escaping, mostMs: number): string {
  const result = engines[escaping].renderSync(templates, values, { renderLimit: mostMs }) as string
  if (result.length > MOST_OUTPUT) throw new Error(`The result is longer than ${MOST_OUTPUT} characters`)
  return result
}

/** Whether a template was given up because of the time it took, and not for a fault that stands in it. */
export const tookTooLong = (error: unknown): boolean => liquidFault(error).message === 'template render limit exceeded'

/** Where and why Liquid refused a template. */
export function liquidFault(error: unknown): { message: string; line?: number; column?: number } {
  const { message, originalError } = error as Error & { originalError?: Error }
  const [, line, column] = /, line:(\d+), col:(\d+)/.exec(message) ?? []
  const why = (originalError?.message ?? message).replace(/, line:\d+, col:\d+.*$/s, '')
  return { message: why.slice(0, 300), ...(line && { line: Number(line), column: Number(column) }) }
}
