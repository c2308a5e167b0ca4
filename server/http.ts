import type { RequestListener } from 'node:http'
import express, { json, type Express, type RequestHandler, type Router } from 'express'
import { consolePages } from './console/pages.ts'
import { referencePages } from './console/reference.ts'
import { consoleRoutes } from './console/routes.ts'
import { emailRoutes } from './email/routes.ts'
import { AppError } from './error.ts'
import { eventRoutes } from './event/routes.ts'
import { ahead } from './http/ahead.ts'
import { answerErrors, requireJson } from './http/answer.ts'
import { cors, createCors, type Cors } from './http/cors.ts'
import { healthRoutes } from './http/health.ts'
import { securityHeaders } from './http/security.ts'
import { settlePath } from './http/settlePath.ts'
import { identityRoutes } from './identity/routes.ts'
import { linkRoutes } from './identity/routesOfLinks.ts'
import { notificationRoutes } from './notification/routes.ts'
import { mailRoutes } from './notification/routesOfMails.ts'
import type { Runtime } from './runtime.ts'
import { sessionCheck, sessionRoutes } from './session/routes.ts'
import { signatureRoutes } from './signature/routes.ts'
import { exchangeToken, TOKEN_EXCHANGE } from './sso/exchange.ts'
import { ssoRoutes, ssoSignIn } from './sso/routes.ts'
import { telegramRoutes, telegramSignIn } from './telegram/routes.ts'
import { introspection, tokenRoutes } from './token/routes.ts'
import { graphqlRoutes } from './ton/graphql.ts'
import { tonNonce, tonRoutes, tonSignIn } from './ton/routes.ts'
import { metricsRoutes } from './stats/routes.ts'
import { guard } from './traffic/guard.ts'
import { walletRoutes } from './wallet/routes.ts'
import { webhookRoutes } from './webhook/routes.ts'

/** Routes of somebody who starts Gatehouse for a purpose of their own, as the demo does. */
export type MoreRoutes = (runtime: Runtime, body: RequestHandler[]) => Router

/** The whole HTTP surface, on one page. */
export function createHttp(runtime: Runtime, more?: MoreRoutes): RequestListener {
  const allow = createCors(runtime)
  const calls = {
    'GET /v1/session': sessionCheck(runtime),
    'POST /oauth/introspect': introspection(runtime),
    'POST /v1/apps/:app/telegram/login': telegramSignIn(runtime),
    'POST /v1/apps/:app/ton/nonce': tonNonce(runtime),
    'POST /v1/apps/:app/ton/login': tonSignIn(runtime),
    'POST /v1/apps/:app/sso/login': ssoSignIn(runtime),
  }
  return settlePath(runtime, guard(runtime, ahead(runtime, allow, calls, createExpress(runtime, allow, more))))
}

function createExpress(runtime: Runtime, allow: Cors, more: MoreRoutes | undefined): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  const body: RequestHandler[] = [requireJson, json({ limit: '256kb' })]

  app.use(securityHeaders(runtime.config), cors(allow))
  // Express tries one after the other, so those come first whose calls are the most.
  app.use(telegramRoutes(runtime, body))
  app.use(tonRoutes(runtime, body))
  app.use(ssoRoutes(runtime, body))
  app.use(sessionRoutes(runtime, body))
  app.use(tokenRoutes(runtime, { [TOKEN_EXCHANGE]: exchangeToken }))
  app.use(eventRoutes(runtime))
  app.use(identityRoutes(runtime, body))
  app.use(signatureRoutes(runtime, body))
  app.use(linkRoutes(runtime, body))
  app.use(notificationRoutes(runtime, body))
  app.use(walletRoutes(runtime, body))
  app.use(webhookRoutes(runtime))
  app.use(emailRoutes(runtime))
  app.use(mailRoutes(runtime))
  app.use(consoleRoutes(runtime, body))
  app.use(referencePages(runtime))
  app.use(consolePages())
  app.use(graphqlRoutes(runtime, body))
  app.use(healthRoutes(runtime))
  app.use(metricsRoutes(runtime))
  if (more) app.use(more(runtime, body))
  app.use(() => {
    throw new AppError('not_found', 'There is nothing at this address')
  })
  app.use(answerErrors(runtime))
  return app
}
