import type { RequestHandler } from 'express'
import type { Config } from '#server/config.ts'
import { AppError } from '#server/error.ts'

/** Headers of every answer (OWASP ASVS 5 §3.4). Pages add their own Content-Security-Policy. */
export const securityHeaders = ({ publicUrl }: Pick<Config, 'publicUrl'>): RequestHandler => {
  const strict = publicUrl.startsWith('https:')
  return (request, response, next) => {
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    response.setHeader('x-frame-options', 'DENY')
    response.setHeader('cross-origin-resource-policy', 'same-site')
    response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
    if (strict) response.setHeader('strict-transport-security', 'max-age=31536000')
    // No address of ours holds a zero byte, and PostgreSQL takes none in a text.
    if (request.url.includes('%00')) throw new AppError('invalid_request', 'The address holds a zero byte')
    next()
  }
}
