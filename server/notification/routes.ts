import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { page, pageInput, readCursor } from '#server/console/page.ts'
import { AppError } from '#server/error.ts'
import { methodNotAllowed, parse, sendJson } from '#server/http/answer.ts'
import { authenticate } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { addressOf } from './mail.ts'
import { choicesInput, describeChoices, type Choices } from './preferences.ts'
import { showNotification } from './show.ts'
import { findPreferences, listInbox, markRead, savePreferences } from './store.ts'
import { streamInbox } from './stream.ts'
import { whyNoTelegram } from './whyNoTelegram.ts'

/** What people are told in the app itself, and what they want to be told at all. */
export function notificationRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const inbox = '/v1/me/notifications'

  router.get(inbox, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const { limit, cursor } = parse(z.object({ limit: pageInput.limit, cursor: pageInput.cursor }), request.query)
    const before = readCursor(z.tuple([z.number().int()]), cursor)?.[0]
    const rows = await listInbox(runtime.db, access.session.userId, {
      limit: limit + 1,
      ...(before !== undefined && { before }),
    })
    const listed = page(
      rows,
      limit,
      (row) => row,
      (row) => [row.id],
    )
    const items = await Promise.all(listed.items.map((row) => showNotification(runtime, row)))
    sendJson(response, { ...listed, items })
  })
  router.all(inbox, methodNotAllowed('GET'))

  router.get(`${inbox}/stream`, async (request, response) => {
    await streamInbox(runtime, request, response, await authenticate(runtime, request, response))
  })
  router.all(`${inbox}/stream`, methodNotAllowed('GET'))

  router.post(`${inbox}/read`, ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const { upTo } = parse(z.strictObject({ upTo: z.string().max(64) }), request.body)
    const id = runtime.vault.ids.parse('evt', upTo)
    if (id === undefined)
      throw new AppError('invalid_request', 'The input does not fit; see errors', {
        errors: [{ path: 'upTo', message: 'is no notification' }],
      })
    const read = await runtime.db.transaction((tx) => markRead(tx, access.session.userId, id, runtime.now()))
    sendJson(response, { read })
  })
  router.all(`${inbox}/read`, methodNotAllowed('POST'))

  const preferences = '/v1/me/notification-preferences'
  const show = async ({ app, session: { userId } }: Access) => {
    const row = await findPreferences(runtime.db, userId)
    const bot = await whyNoTelegram(runtime.db, app, userId, row)
    const mail = await addressOf(runtime, runtime.db, app, userId)
    return {
      preferences: describeChoices(JSON.parse(row?.choices ?? '{}') as Choices),
      telegram: {
        reachable: bot === undefined,
        reason: bot ?? null,
        since: row?.telegramEndedAt?.toISOString() ?? null,
      },
      email: { reachable: 'address' in mail, reason: 'reason' in mail ? mail.reason : null },
    }
  }
  router.get(preferences, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    sendJson(response, await show(access))
  })
  router.put(preferences, ...body, async (request, response) => {
    const access = await authenticate(runtime, request, response)
    const choices = parse(choicesInput, request.body)
    // Whoever chooses anew may have let the bot write again; the next message finds out.
    const change = { choices: JSON.stringify(choices), telegramEndedAt: null, telegramEndReason: null }
    await runtime.db.transaction((tx) => savePreferences(tx, access.session.userId, change))
    sendJson(response, await show(access))
  })
  router.all(preferences, methodNotAllowed('GET, PUT'))
  return router
}
