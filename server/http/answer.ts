import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import * as z from 'zod'
import { AppError, refusals, toAppError, type FieldError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { endWithTurn } from './burst.ts'
import type { Quota } from './limits.ts'

const ready = Symbol('ready headers')

/** Tells `sendJson` which headers go with its answer, where nobody has set them one by one. */
export function answersAhead(response: ServerResponse, headers: readonly string[]): void {
  ;(response as { [ready]?: readonly string[] })[ready] = headers
}

/** Answers JSON as one ready string: half the cost of `response.json`, which also hashes it for an ETag nobody may cache. */
export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  const text = JSON.stringify(body)
  const length = Buffer.byteLength(text)
  // Where every character is one byte, Node need not look for those that are not.
  const encoding = length === text.length ? 'latin1' : 'utf8'
  const headers = (response as { [ready]?: readonly string[] })[ready]
  if (headers) {
    // All at once: a fourth of what it costs to set them one by one.
    response.writeHead(status, [...headers, ...NOT_KEPT, 'content-type', JSON_TYPE, 'content-length', String(length)])
    endWithTurn(response, text, encoding)
    return
  }
  response.statusCode = status
  response.setHeader('content-type', JSON_TYPE)
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
  response.setHeader('content-length', length)
  response.end(text, encoding)
}

const JSON_TYPE = 'application/json; charset=utf-8'
const NOT_KEPT = ['cache-control', 'no-store']

export function sendNothing(response: ServerResponse): void {
  response.statusCode = 204
  response.setHeader('cache-control', 'no-store')
  response.end()
}

/** RateLimit headers of draft-ietf-httpapi-ratelimit-headers-10. */
export function setQuota(response: ServerResponse, quota: Quota | undefined): void {
  if (!quota) return
  response.setHeader('RateLimit-Policy', `"default";q=${quota.limit};w=60`)
  response.setHeader('RateLimit', `"default";r=${quota.remaining};t=${quota.reset}`)
}

/** Input checked against its schema. @throws AppError invalid_request with every fault */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new AppError('invalid_request', 'The input does not fit; see errors', { errors: fieldErrors(parsed.error) })
}

export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return { path: issue.path.join('.'), message: issue.message }
    return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not known here' }))
  })
}

let counter = 0
const process8 = randomBytes(6).toString('base64url')

/** Names one request in answers and log. */
export function requestId(request: IncomingMessage): string {
  const known = (request as { requestId?: string }).requestId
  if (known) return known
  const id = `req_${process8}${(counter++).toString(36).padStart(5, '0')}`
  ;(request as { requestId?: string }).requestId = id
  return id
}

/** A refusal as RFC 9457 problem+json. */
export function sendProblem(request: IncomingMessage, response: ServerResponse, error: AppError): void {
  setRefusalHeaders(response, error)
  const status = error.status
  const body = JSON.stringify({
    type: `https://gatehouse.dev/problems/${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.message,
    code: error.code,
    requestId: requestId(request),
    ...(error.errors && { errors: error.errors }),
    ...error.details,
  })
  response.statusCode = status
  response.setHeader('content-type', 'application/problem+json; charset=utf-8')
  response.setHeader('content-length', Buffer.byteLength(body))
  response.end(body)
}

/** A refusal as RFC 6749 §5.2: 400 for whatever is wrong with the grant, the refusal's own status for the rest. */
export function sendOAuthError(response: ServerResponse, error: AppError): void {
  setRefusalHeaders(response, error)
  const oauth = refusals[error.code][2]
  if (oauth === 'invalid_grant') response.removeHeader('www-authenticate')
  else if (error.status === 401)
    response.setHeader('www-authenticate', 'Basic realm="gatehouse", Bearer realm="gatehouse"')
  sendJson(
    response,
    { error: oauth, error_description: printable(error.message) },
    oauth === 'invalid_grant' ? 400 : error.status,
  )
}

/** The characters that RFC 6749 §5.2 and RFC 6750 §3 allow in a description. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')

function setRefusalHeaders(response: ServerResponse, error: AppError): void {
  response.setHeader('cache-control', 'no-store')
  if (error.retryAfter !== undefined) response.setHeader('retry-after', String(error.retryAfter))
  if (error.code === 'rate_limited' && error.details) setQuota(response, error.details as Quota)
  if (error.status === 401) {
    response.setHeader(
      'www-authenticate',
      `Bearer realm="gatehouse", error="invalid_token", error_description="${printable(error.message)}"`,
    )
  }
}

const titles = new Map<string, string>()

function titleOf(code: string): string {
  let title = titles.get(code)
  if (!title) titles.set(code, (title = code[0]!.toUpperCase() + code.slice(1).replaceAll('_', ' ')))
  return title
}

/** The last handler: whatever was thrown becomes one clear answer. */
export function answerErrors(runtime: Runtime): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    if (!refuse(runtime, thrown, request, response)) next(thrown)
  }
}

/**
 * Answers what was thrown, in the form that the path's protocol has for refusals; what is our fault is logged with its cause. False when an answer
 * is under way already and can only be cut off.
 */
export function refuse(runtime: Runtime, thrown: unknown, request: IncomingMessage, response: ServerResponse): boolean {
  const error = fromExpress(thrown)
  const path = pathOf(request)
  if (error.status >= 500) {
    const { method } = request
    runtime.log.error(
      { requestId: requestId(request), method, path, code: error.code, err: error.cause ?? error },
      error.message,
    )
  }
  if (response.headersSent) return false
  if (path.startsWith('/oauth/')) sendOAuthError(response, error)
  else sendProblem(request, response, error)
  return true
}

/** The path as it was asked for, whatever router it has come to; without the query, which may hold a token. */
function pathOf(request: IncomingMessage): string {
  const url = (request as { originalUrl?: string }).originalUrl ?? request.url ?? ''
  return url.split('?', 1)[0]!
}

/** Refusals of Express's own parsers and router, in our words. */
function fromExpress(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  const { type, status } = (thrown ?? {}) as { type?: string; status?: number }
  if (type === 'entity.too.large') return new AppError('payload_too_large', 'The body is larger than 256 KiB')
  if (type === 'entity.parse.failed') return new AppError('invalid_request', 'The body is not valid JSON')
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return new AppError('unsupported_media_type', 'This encoding is not supported; send UTF-8')
  if (thrown instanceof URIError) return new AppError('invalid_request', 'The path is not valid percent-encoding')
  if (status !== undefined && status >= 400 && status < 500)
    return new AppError('invalid_request', 'The request cannot be read')
  return toAppError(thrown)
}

/** Refuses a request body of another type than JSON in UTF-8 (RFC 8259 §8.1): the parser is chosen by the route, never by the caller. */
export const requireJson: RequestHandler = (request, _response, next) => {
  if (request.is('application/json')) {
    const [, charset] = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type']!) ?? []
    if (charset === undefined || /^utf-?8$/i.test(charset)) return next()
    throw new AppError('unsupported_media_type', 'Send the body as application/json in UTF-8')
  }
  const empty = !request.headers['content-length'] && !request.headers['transfer-encoding']
  if (empty || request.headers['content-length'] === '0') {
    request.body = {}
    return next()
  }
  throw new AppError('unsupported_media_type', 'Send the body as application/json')
}

/** For a path that exists with other methods. */
export function methodNotAllowed(allow: string): RequestHandler {
  return (_request, response) => {
    response.setHeader('allow', allow)
    throw new AppError('method_not_allowed', `This address takes ${allow} only`)
  }
}
