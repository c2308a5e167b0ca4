import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { AppError, type FieldError } from '#server/error.ts'
import { fieldErrors } from '#server/http/answer.ts'
import type { Runtime } from '#server/runtime.ts'
import { contentTexts, tooDeep } from './contentTexts.ts'
import { parseExact, toPlain } from './exactJson.ts'
import { once, type Answered } from './once.ts'
import { recordEvent } from './record.ts'
import { contentFaults } from './schema.ts'
import { userOf } from './subject.ts'
import { typesOf } from './types.ts'

const MOST_EVENTS = 100

const eventInput = z.strictObject({
  type: z.string().min(1).max(100),
  user: z
    .string()
    .min(1)
    .max(255)
    // Two halves of characters would be kept as the same replacement, and two people become one.
    .refine((text) => text.isWellFormed(), { message: 'is not valid Unicode' }),
  content: z.record(z.string(), z.unknown(), { error: 'must be an object' }),
  time: z
    .union([z.number().int().nonnegative(), z.string().regex(/^\d{1,17}$/)], {
      error: 'must be a whole number of seconds or milliseconds since the epoch, or its digits',
    })
    .optional(),
  locale: z
    .string()
    .max(35)
    .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/, { message: 'must be a language tag such as en or pt-BR' })
    .optional(),
})

export type Ingested = { id: string } | { ids: string[] }

/**
 * Takes events from an app's server: one, or an array of up to 100, of which all are recorded or none. Resolves once the events and
 * everything owed because of them are on disk. With an idempotency key the same body gives the same answer for 24 hours.
 * @param text the request's body as it came: numbers keep their digits
 * @throws AppError invalid_request with every fault, conflict, payload_too_large
 */
export async function ingest(
  runtime: Runtime,
  app: App,
  text: string,
  idempotencyKey?: string,
): Promise<Answered<Ingested>> {
  return once(runtime, app, { key: idempotencyKey, text }, async () => {
    const body = parseBody(text)
    const many = Array.isArray(body)
    const texts = contentTexts(text)
    const events = await readEvents(runtime, app, many ? body : [body], many)
    return async (tx) => {
      const ids: string[] = []
      for (const [place, event] of events.entries()) {
        const { content, ...rest } = event
        const userId = await userOf(runtime, tx, app, event.user)
        const id = await recordEvent(runtime, tx, {
          ...rest,
          app,
          userId,
          content,
          contentText: texts[place],
          source: 'api',
        }).catch((error: unknown) => {
          throw error instanceof AppError && many ? placed(error, `${place}.content`) : error
        })
        ids.push(runtime.vault.ids.seal('evt', id!))
      }
      return many ? { ids } : { id: ids[0]! }
    }
  })
}

/** A refusal of one event of several, with which one it is. */
const placed = (error: AppError, path: string): AppError =>
  new AppError(error.code, error.message, { cause: error, errors: [{ path, message: error.message }] })

function parseBody(text: string): unknown {
  try {
    return parseExact(text)
  } catch (cause) {
    if (cause instanceof RangeError) throw tooDeep()
    throw new AppError('invalid_request', 'The body is not valid JSON', { cause })
  }
}

async function readEvents(runtime: Runtime, app: App, inputs: unknown[], many: boolean) {
  if (many && (inputs.length === 0 || inputs.length > MOST_EVENTS))
    throw new AppError('invalid_request', `Send 1 to ${MOST_EVENTS} events at once`)
  const types = await typesOf(runtime, runtime.db, app)
  const faults: FieldError[] = []
  const events = inputs.flatMap((exact, place) => {
    const path = (name: string) => [...(many ? [String(place)] : []), name].join('.').replace(/\.$/, '')
    const plain = toPlain(exact)
    const parsed = eventInput.safeParse(plain)
    const found = parsed.success ? [] : fieldErrors(parsed.error).map((fault) => ({ ...fault, path: path(fault.path) }))
    // What the shape has nothing against is looked into, whatever else is wrong: every fault is named at once.
    const { type: key, content } = (plain ?? {}) as Record<string, unknown>
    if (typeof key === 'string' && !found.some((fault) => fault.path === path('type'))) {
      const type = types.get(key)
      if (!type || type.origin === 'system') {
        const said = type ? 'is recorded by Gatehouse itself' : 'is not an event type of this app'
        found.push({ path: path('type'), message: said })
      } else if (!found.some((fault) => fault.path === path('content')))
        // As it came, and not as the shape read it: that leaves out what is called __proto__.
        found.push(...contentFaults(type, content, path('content')))
    }
    faults.push(...found)
    if (!parsed.success || found.length > 0) return []
    const { user, time, locale } = parsed.data
    const given = exact as { content: Record<string, unknown> }
    return [
      {
        type: parsed.data.type,
        user,
        content: given.content,
        time: time === undefined ? undefined : String(time),
        locale,
      },
    ]
  })
  if (faults.length > 0)
    throw new AppError('invalid_request', 'The input does not fit; see errors', { errors: faults.slice(0, 200) })
  return events
}
