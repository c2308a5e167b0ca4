import { setFlagsFromString } from 'node:v8'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { AppError, type FieldError } from '#server/error.ts'
import type { EventType } from './catalogue.ts'

// A pattern in an app's own schema must not be able to stop the process: these never backtrack, and what needs that is refused.
setFlagsFromString('--enable-experimental-regexp-engine')
const linear = Object.assign((pattern: string) => new RegExp(pattern, 'l'), { code: 'new RegExp' })

const checks = new WeakMap<object, ValidateFunction>()

/**
 * Compiles a JSON Schema (2020-12). References stay inside it: nothing is fetched.
 * @throws AppError invalid_request with what is wrong with the schema
 */
export function compileSchema(schema: Record<string, unknown>): ValidateFunction {
  const known = checks.get(schema)
  if (known) return known
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
    const check = ajv.compile(schema)
    checks.set(schema, check)
    return check
  } catch (error) {
    throw new AppError('invalid_request', 'This is not a JSON Schema (2020-12)', {
      errors: [{ path: 'schema', message: (error as Error).message.slice(0, 500) }],
    })
  }
}

/** @throws AppError invalid_request with every fault of the content; `at` is where the content stands in the input */
export function assertContent(type: Pick<EventType, 'key' | 'schema'>, content: unknown, at = 'content'): void {
  const errors = contentFaults(type, content, at)
  if (errors.length === 0) return
  throw new AppError('invalid_request', `The content does not fit the schema of ${type.key}; see errors`, { errors })
}

/** Every fault of the content, by where it stands. */
export function contentFaults(type: Pick<EventType, 'schema'>, content: unknown, at: string): FieldError[] {
  const check = compileSchema(type.schema)
  return check(content) ? [] : (check.errors ?? []).map((error) => toFieldError(error, at))
}

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
