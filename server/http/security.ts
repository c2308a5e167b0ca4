import type { ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import type { Config } from '#server/config.ts'
import { AppError } from '#server/error.ts'

/** Headers of every answer (OWASP ASVS 5 §3.4). Pages add their own Content-Security-Policy. */
export function setSecurityHeaders(response: ServerResponse, { publicUrl }: Pick<Config, 'publicUrl'>): void {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('cross-origin-resource-policy', 'same-site')
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  if (publicUrl.startsWith('https:')) response.setHeader('strict-transport-security', 'max-age=31536000')
}

export const securityHeaders =
  (config: Pick<Config, 'publicUrl'>): RequestHandler =>
  (request, response, next) => {
    setSecurityHeaders(response, config)
    // No address of ours holds a zero byte, and PostgreSQL takes none in a text.
    if (request.url.includes('%00')) throw new AppError('invalid_request', 'The address holds a zero byte')
    next()
  }
