import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Router, type RequestHandler } from 'express'
import sirv from 'sirv'
import { AppError } from '#server/error.ts'

const build = fileURLToPath(new URL('../../web/build', import.meta.url))

/**
 * The console's pages: a static build. Every path that is no file answers the one page that starts the console; what is under _app/immutable never changes
 * its content under one name, so browsers may keep it.
 */
export function consolePages(): Router {
  const router = Router()
  const shell = `${build}/200.html`
  const built = existsSync(shell) && { policy: contentPolicy(readFileSync(shell, 'utf8')), files: buildFiles() }
  const page: RequestHandler = (request, response, next) => {
    // No page of ours has such an address, and none that climbs is answered as if it were one.
    if (/%2f|%5c|%2e|\\|\.\./i.test(request.url.split('?', 1)[0]!)) return next()
    if (!built) throw new AppError('unavailable', 'The console is not built; npm run build makes it')
    if (request.method !== 'GET' && request.method !== 'HEAD') return next()
    response.setHeader('content-security-policy', built.policy)
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    built.files(request, response, next)
  }
  router.get('/', (_request, response) => response.redirect(302, '/console/'))
  router.use('/console', page)
  return router
}

/** The files as the build compressed them. A missing file is missing; only what looks like a page is answered by the shell. */
const buildFiles = () =>
  sirv(build, {
    brotli: true,
    gzip: true,
    etag: true,
    single: '200.html',
    ignores: ['\\.\\w+$'],
    setHeaders(response, path) {
      const forEver = path.startsWith('/_app/immutable/')
      response.setHeader('cache-control', forEver ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })

/** Strict: only our own files, and the inline scripts of the built page by their hashes. */
function contentPolicy(html: string): string {
  const scripts = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)]
  const hashes = scripts.map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`)
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`.trim(),
    "style-src 'self'",
    // Svelte sets style attributes, which no text of a user reaches.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}
