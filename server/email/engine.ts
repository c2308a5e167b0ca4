import { Liquid, type Template } from 'liquidjs'
import { createRemembered } from '#server/secret/remembered.ts'

/** What operators may use of Liquid. Everything that reads files, leaves the escaping, or is of no use in a mail is taken out. */
const TAGS = ['assign', 'break', 'capture', 'case', 'comment', 'continue', 'for', 'if', 'unless']
const FILTERS = [
  ...['append', 'capitalize', 'default', 'downcase', 'first', 'last', 'prepend', 'replace', 'size', 'slice'],
  ...['strip', 'truncate', 'upcase', 'url_encode', 'plus', 'minus', 'times', 'divided_by', 'modulo', 'round'],
]

/** Characters of one template, and what one rendering may cost: milliseconds, and characters held. */
export const MOST_SOURCE = 200_000
const LIMITS = { parseLimit: MOST_SOURCE, renderLimit: 200, memoryLimit: 2_000_000 }
/** Time goes by while other work has the processor: what ran out of it is given more, once, before the template is blamed. */
const SECOND_LIMIT = 2_000
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
  const templates = engines[escaping].parse(source)
  parsed.add(key, templates)
  return templates
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
export function renderLiquid(templates: Template[], values: object, escaping: Escaping): string {
  const result = renderPatiently(engines[escaping], templates, values)
  if (result.length > MOST_OUTPUT) throw new Error(`The result is longer than ${MOST_OUTPUT} characters`)
  return result
}

function renderPatiently(engine: Liquid, templates: Template[], values: object): string {
  try {
    return engine.renderSync(templates, values) as string
  } catch (error) {
    if (!(error as Error).message.includes('render limit exceeded')) throw error
    return engine.renderSync(templates, values, { renderLimit: SECOND_LIMIT }) as string
  }
}

/** Where and why Liquid refused a template. */
export function liquidFault(error: unknown): { message: string; line?: number; column?: number } {
  const { message, originalError } = error as Error & { originalError?: Error }
  const [, line, column] = /, line:(\d+), col:(\d+)/.exec(message) ?? []
  const why = (originalError?.message ?? message).replace(/, line:\d+, col:\d+.*$/s, '')
  return { message: why.slice(0, 300), ...(line && { line: Number(line), column: Number(column) }) }
}
