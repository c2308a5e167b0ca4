import { Router, type Response } from 'express'
import { appIn } from '#server/app/app.ts'
import { localeOf } from '#server/email/kinds.ts'
import { openStop } from '#server/email/stop.ts'
import { AppError } from '#server/error.ts'
import { findProfile } from '#server/event/store.ts'
import { methodNotAllowed } from '#server/http/answer.ts'
import { spendUnknown } from '#server/http/authenticate.ts'
import { readForm } from '#server/http/form.ts'
import { openProfile } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { stopMails } from './stopMails.ts'
import { stopPage, type StopState } from './stopPage.ts'

/** Where people stop mails, from the link in one and from their mail program's own button (RFC 8058), without signing in. */
export function mailRoutes(runtime: Runtime): Router {
  const router = Router()
  const path = '/mails/stop/:token'

  router.use('/mails/stop', async (request, response, next) => {
    await spendUnknown(runtime, request, response)
    next()
  })

  router.get(path, async (request, response) => {
    await answer(runtime, response, request.params['token'], 'ask')
  })
  router.post(path, async (request, response) => {
    // A mail program sends List-Unsubscribe=One-Click, our page mails=off or mails=on.
    const form = await readForm(request)
    const wanted = form?.['mails'] === 'on'
    await stopMails(runtime, openStop(runtime, request.params['token']), wanted)
    await answer(runtime, response, request.params['token'], wanted ? 'started' : 'stopped')
  })
  router.all(path, methodNotAllowed('GET, POST'))
  return router
}

async function answer(runtime: Runtime, response: Response, token: string, state: StopState): Promise<void> {
  const { userId, group } = openStop(runtime, token)
  const user = await findProfile(runtime.db, userId)
  const app = user && (await appIn(runtime, runtime.db, user.appId))
  // Whoever was erased gets no mails any more.
  if (!app) throw new AppError('not_found', 'This link is not valid any more')
  const { language } = await openProfile(runtime, runtime.db, user.profileSealed)
  const { branding, email } = app.settings
  response.setHeader('cache-control', 'no-store')
  response.setHeader(
    'content-security-policy',
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  )
  response.type('html').send(stopPage(branding.appName ?? app.name, localeOf(language, email.locale), group, state))
}
