import type { RequestHandler } from 'express'
import { AppError } from '#server/error.ts'

const MOST_BYTES = 262_144

/**
 * Reads an application/x-www-form-urlencoded body into an object of texts (RFC 6749 appendix B). A parameter given twice is refused, for two readers could
 * take two meanings from it (§3.2). Half the cost of a general body parser, on the call that apps' servers make for every request of theirs.
 */
export const readForm: RequestHandler = (request, _response, next) => {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    next(
      hasBody(request.headers)
        ? new AppError('unsupported_media_type', 'Send the parameters as application/x-www-form-urlencoded')
        : undefined,
    )
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MOST_BYTES) chunks.push(chunk)
  })
  request.on('error', next)
  request.on('end', () => {
    if (size > MOST_BYTES) {
      next(new AppError('payload_too_large', 'The body is larger than 256 KiB'))
      return
    }
    try {
      request.body = parseForm(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    } catch (error) {
      next(error)
      return
    }
    next()
  })
}

const hasBody = (headers: { 'content-length'?: string | undefined; 'transfer-encoding'?: string | undefined }) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

function parseForm(bytes: Buffer): Record<string, string> {
  const form: Record<string, string> = Object.create(null) as Record<string, string>
  let count = 0
  for (const [name, value] of new URLSearchParams(bytes.toString('utf8'))) {
    if (++count > 20) throw new AppError('invalid_request', 'The body holds more than 20 parameters')
    if (name in form) throw new AppError('invalid_request', `${name.slice(0, 40)} stands in the body more than once`)
    form[name] = value
  }
  return form
}
