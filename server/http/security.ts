import type { RequestHandler } from 'express'

/** Headers of every answer (OWASP ASVS 5 §3.4). Pages add their own Content-Security-Policy. */
export const securityHeaders: RequestHandler = (_request, response, next) => {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('cross-origin-resource-policy', 'same-site')
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  next()
}
