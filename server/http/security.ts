import type { ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import type { Config } from '#server/config.ts'
import { AppError } from '#server/error.ts'

/** Headers of every answer (OWASP ASVS 5 §3.4), each followed by its value. Pages add their own Content-Security-Policy. */
export function headersOf({ publicUrl }: Pick<Config, 'publicUrl'>): readonly string[] {
  return publicUrl.startsWith('https:') ? [...always, 'strict-transport-security', 'max-age=31536000'] : always
}

const always = [
  ...['x-content-type-options', 'nosniff'],
  ...['referrer-policy', 'no-referrer'],
  ...['x-frame-options', 'DENY'],
  ...['cross-origin-resource-policy', 'same-site'],
  ...['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
]

export function setSecurityHeaders(response: ServerResponse, config: Pick<Config, 'publicUrl'>): void {
  const headers = headersOf(config)
  for (let at = 0; at < headers.length; at += 2) response.setHeader(headers[at]!, headers[at + 1]!)
}

export const securityHeaders =
  (config: Pick<Config, 'publicUrl'>): RequestHandler =>
  (request, response, next) => {
    setSecurityHeaders(response, config)
    // No address of ours holds a zero byte, and PostgreSQL takes none in a text.
    if (request.url.includes('%00')) throw new AppError('invalid_request', 'The address holds a zero byte')
    next()
  }
