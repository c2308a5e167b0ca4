import { fileURLToPath } from 'node:url'
import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import { getApp } from '../app/app.ts'
import { AppError } from '../error.ts'
import { catalogue } from '../event/catalogue.ts'
import { ingest } from '../event/ingest.ts'
import { limitKey } from '../http/address.ts'
import { methodNotAllowed, parse, sendJson, setQuota } from '../http/answer.ts'
import { addressOf } from '../http/authenticate.ts'
import type { Runtime } from '../runtime.ts'
import { quest } from './apps.ts'
import { initDataOf, samples, type Person } from './people.ts'

const folder = fileURLToPath(new URL('page', import.meta.url))
const files = { '/demo': 'index.html', '/demo/app.js': 'app.js', '/demo/style.css': 'style.css' }

/** Nothing but our own files. Telegram's apps open a Mini App as a page of its own; Telegram Web would frame it, and frames stay forbidden on the console's origin. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const CALLS_A_MINUTE = 120
const SAMPLE_EVENT = 'txn.received'

/** The sample Mini App, and what Telegram and the app's own server would do for it. The demo alone has them. */
export function demoRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  for (const [path, name] of Object.entries(files)) {
    router.get(path, (_request, response) => {
      response.setHeader('content-security-policy', POLICY)
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cache-control', 'no-cache')
      response.sendFile(name, { root: folder, cacheControl: false })
    })
    router.all(path, methodNotAllowed('GET'))
  }

  const counted: RequestHandler = async (request, response, next) => {
    setQuota(response, await runtime.limits.call(limitKey(addressOf(runtime, request)), CALLS_A_MINUTE))
    next()
  }

  router.get('/demo/people', (_request, response) => {
    sendJson(response, { items: samples.map((person) => ({ id: person.id, name: nameOf(person) })) })
  })
  router.all('/demo/people', methodNotAllowed('GET'))

  // Signed with the made-up token of the demo alone: whoever gives the app a real bot later signs nobody in from here.
  router.post('/demo/init-data', counted, ...body, (request, response) => {
    const person = chosen(request.body)
    sendJson(response, { initData: initDataOf(person, quest.telegram.botToken, runtime.now()) })
  })
  router.all('/demo/init-data', methodNotAllowed('POST'))

  router.post('/demo/notification', counted, ...body, async (request, response) => {
    const user = String(chosen(request.body).id)
    const event = { type: SAMPLE_EVENT, user, content: catalogue.get(SAMPLE_EVENT)!.sample }
    const { answer } = await ingest(runtime, await getApp(runtime, quest.slug), JSON.stringify(event))
    sendJson(response, answer, 202)
  })
  router.all('/demo/notification', methodNotAllowed('POST'))
  return router
}

const choice = z.strictObject({ person: z.number().int() })

/** @throws AppError invalid_request for anybody who is no sample person */
function chosen(input: unknown): Person {
  const { person: id } = parse(choice, input)
  const person = samples.find((sample) => sample.id === id)
  if (person) return person
  throw new AppError('invalid_request', 'The input does not fit; see errors', {
    errors: [{ path: 'person', message: 'is none of the sample people of GET /demo/people' }],
  })
}

const nameOf = ({ first_name, last_name }: Person): string => [first_name, last_name].filter(Boolean).join(' ')
