import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Router } from 'express'
import type { Runtime } from '#server/runtime.ts'

const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI writes its styles into the page.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Gatehouse API reference</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/api/reference/swagger-ui.css" />
  </head>
  <body>
    <div id="reference"></div>
    <script src="/api/reference/swagger-ui-bundle.js"></script>
    <script src="/api/reference/start.js"></script>
  </body>
</html>
`

/** The API reference at /api/reference, all of it from this server. Trying calls out from the page is for development. */
export function referencePages(runtime: Runtime): Router {
  const router = Router()
  const methods = runtime.config.development ? ['get', 'post', 'put', 'patch', 'delete'] : []
  const start = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#reference', deepLinking: true, docExpansion: 'none', filter: true, supportedSubmitMethods: ${JSON.stringify(methods)} })\n`

  router.use('/api/reference', (_request, response, next) => {
    response.setHeader('content-security-policy', policy)
    next()
  })
  router.get('/api/reference', (_request, response) => void response.type('html').send(page))
  router.get('/api/reference/start.js', (_request, response) => void response.type('js').send(start))
  for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js']) {
    router.get(`/api/reference/${file}`, (_request, response) =>
      response.sendFile(file, { root: assets, maxAge: 86_400_000 }),
    )
  }
  return router
}
