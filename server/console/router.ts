import { apiKeysRouter, appsRouter } from '#server/app/console.ts'
import { notificationsRouter } from '#server/delivery/console.ts'
import { eventTypesRouter } from '#server/event/console.ts'
import { emailTemplatesRouter } from '#server/email/console.ts'
import { emailsRouter } from '#server/email/outboxConsole.ts'
import { suppressionsRouter } from '#server/email/suppressionConsole.ts'
import { usersRouter } from '#server/identity/console.ts'
import { auditRouter } from '#server/operator/auditConsole.ts'
import { operatorsRouter } from '#server/operator/console.ts'
import { authRouter, setupRouter } from '#server/operator/signInConsole.ts'
import { operatorTokensRouter } from '#server/operator/tokensConsole.ts'
import { retentionRouter } from '#server/retention/console.ts'
import { sessionsRouter } from '#server/session/console.ts'
import { ssoRouter } from '#server/sso/console.ts'
import { keysRouter, tokensRouter } from '#server/token/console.ts'
import { blocksRouter } from '#server/traffic/blocksConsole.ts'
import { trafficRouter } from '#server/traffic/console.ts'
import { webhooksRouter } from '#server/webhook/console.ts'
import { statsRouter } from '#server/stats/console.ts'
import { noticesRouter } from './notices.ts'
import { overviewRouter } from './overview.ts'
import { router } from './trpc.ts'

/** All that operators can do; the console calls it over tRPC, scripts over REST. */
export const consoleRouter = router({
  setup: setupRouter,
  auth: authRouter,
  overview: overviewRouter,
  notices: noticesRouter,
  apps: appsRouter,
  apiKeys: apiKeysRouter,
  sso: ssoRouter,
  webhooks: webhooksRouter,
  eventTypes: eventTypesRouter,
  notifications: notificationsRouter,
  emailTemplates: emailTemplatesRouter,
  emails: emailsRouter,
  suppressions: suppressionsRouter,
  sessions: sessionsRouter,
  users: usersRouter,
  tokens: tokensRouter,
  audit: auditRouter,
  operators: operatorsRouter,
  operatorTokens: operatorTokensRouter,
  keys: keysRouter,
  retention: retentionRouter,
  stats: statsRouter,
  traffic: trafficRouter,
  blocks: blocksRouter,
})

export type ConsoleRouter = typeof consoleRouter
