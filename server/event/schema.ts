import { setFlagsFromString } from 'node:v8'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { AppError, type FieldError } from '#server/error.ts'
import type { EventType } from './catalogue.ts'
import { inTime, isQuick } from './inTime.ts'

// A pattern in an app's own schema must not be able to stop the process: these never backtrack, and what needs that is refused.
setFlagsFromString('--enable-experimental-regexp-engine')
const linear = Object.assign(
  (pattern: string) => {
    // Without the flag u, which these do not know, it would mean the letters “p{L}”.
    if (/\\[pPu]\{/.test(pattern))
      throw new SyntaxError(`Invalid regular expression: /${pattern}/: \\p{…} and \\u{…} are not known here`)
    return new RegExp(pattern, 'l')
  },
  { code: 'new RegExp' },
)

type Check = {
  run: ValidateFunction
  /** Of how many parts the schema is; infinite where it refers to itself or compares all with all. */
  weight: number
  /** Until then, in the process's own milliseconds, nothing is checked with it, because it did not come to an end. */
  restsUntil: number
}

const checks = new WeakMap<object, Check>()

/** A schema that takes too long is left alone for a while, for every try stops the process for a moment. */
const REST_MS = 10_000
const COMPILE_MS = 3_000
/** Of so many the caller is told. */
const MOST_FAULTS = 1_000

/**
 * Compiles a JSON Schema (2020-12). References stay inside it: nothing is fetched.
 * @throws AppError invalid_request with what is wrong with the schema
 */
export function compileSchema(schema: Record<string, unknown>): Check {
  const known = checks.get(schema)
  if (known) return known
  const text = JSON.stringify(schema)
  // Its answer would be a promise, and that is as good as a yes.
  if (text.includes('"$async"')) throw noSchema('may not have $async')
  const ajv = new Ajv2020({
    allErrors: true,
    strict: false,
    // `format` is for people here; a library of patterns for it would come with backtracking.
    validateFormats: false,
    unicodeRegExp: false,
    code: { regExp: linear },
    logger: false,
  })
  try {
    const compiled = inTime(() => ajv.compile(schema), COMPILE_MS)
    if (!compiled) throw new Error('refers to itself in circles, or is too deep')
    const weight = /"(\$ref|\$dynamicRef|uniqueItems)":/.test(text) ? Infinity : text.length >> 2
    const check = { run: compiled.result, weight, restsUntil: 0 }
    checks.set(schema, check)
    return check
  } catch (error) {
    throw noSchema((error as Error).message.slice(0, 500))
  }
}

const noSchema = (message: string) =>
  new AppError('invalid_request', 'This is not a JSON Schema (2020-12)', { errors: [{ path: 'schema', message }] })

/** @throws AppError invalid_request with every fault of the content; `at` is where the content stands in the input */
export function assertContent(type: Pick<EventType, 'key' | 'schema'>, content: unknown, at = 'content'): void {
  const errors = contentFaults(type, content, at)
  if (errors.length === 0) return
  throw new AppError('invalid_request', `The content does not fit the schema of ${type.key}; see errors`, { errors })
}

/** Every fault of the content, by where it stands. */
export function contentFaults(type: Pick<EventType, 'schema'>, content: unknown, at: string): FieldError[] {
  const check = compileSchema(type.schema)
  if (performance.now() < check.restsUntil) return [endless(at)]
  const done = isQuick(content, check.weight) ? { result: check.run(content) } : inTime(() => check.run(content))
  if (!done) {
    check.restsUntil = performance.now() + REST_MS
    return [endless(at)]
  }
  const errors = check.run.errors ?? []
  check.run.errors = null
  return done.result ? [] : errors.slice(0, MOST_FAULTS).map((error) => toFieldError(error, at))
}

const endless = (path: string): FieldError => ({
  path,
  message: 'cannot be checked: the schema of its type does not come to an end with it',
})

function toFieldError({ instancePath, keyword, params, message }: ErrorObject, at: string): FieldError {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const { missingProperty, additionalProperty } = params as { missingProperty?: string; additionalProperty?: string }
  const member = missingProperty ?? additionalProperty
  if (member !== undefined) parts.push(member)
  const said = { required: 'is missing', additionalProperties: 'is not a member of this type' }[keyword]
  return { path: [at, ...parts].join('.'), message: said ?? message ?? 'does not fit' }
}
