import { apiKeysRouter, appsRouter } from '#server/app/console.ts'
import { emailTemplatesRouter } from '#server/email/console.ts'
import { emailsRouter } from '#server/email/outboxConsole.ts'
import { usersRouter } from '#server/identity/console.ts'
import {
  auditRouter,
  authRouter,
  operatorsRouter,
  operatorTokensRouter,
  setupRouter,
} from '#server/operator/console.ts'
import { sessionsRouter } from '#server/session/console.ts'
import { keysRouter, tokensRouter } from '#server/token/console.ts'
import { webhooksRouter } from '#server/webhook/console.ts'
import { overviewRouter } from './overview.ts'
import { router } from './trpc.ts'

/** All that operators can do; the console calls it over tRPC, scripts over REST. */
export const consoleRouter = router({
  setup: setupRouter,
  auth: authRouter,
  overview: overviewRouter,
  apps: appsRouter,
  apiKeys: apiKeysRouter,
  webhooks: webhooksRouter,
  emailTemplates: emailTemplatesRouter,
  emails: emailsRouter,
  sessions: sessionsRouter,
  users: usersRouter,
  tokens: tokensRouter,
  audit: auditRouter,
  operators: operatorsRouter,
  operatorTokens: operatorTokensRouter,
  keys: keysRouter,
})

export type ConsoleRouter = typeof consoleRouter
