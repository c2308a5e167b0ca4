import * as z from 'zod'
import { instant, instantInput } from '#server/console/page.ts'
import { statuses } from './describe.ts'
import { MOST_OPENED } from './findText.ts'

export const id = z.string().max(64)
const channels = ['webhook', 'inbox', 'telegram', 'email'] as const

/** What the log is narrowed to, as it comes from outside. */
export const filterInput = {
  appId: id.optional(),
  type: z.string().max(100).optional(),
  user: z.string().trim().max(255).optional().describe('Our user id, or whom the app said it is about'),
  status: z.enum(statuses).optional(),
  channel: z.enum(channels).optional(),
  endpointId: id.optional(),
  q: z
    .string()
    .trim()
    .max(200)
    .optional()
    .describe(
      `An event id, a user id, a Telegram id, @username, wallet address, e-mail address, the user as the app named them, or words of what was told, among the newest ${MOST_OPENED.toLocaleString('en')} that meet the rest of the filter`,
    ),
  from: instantInput.optional(),
  to: instantInput.optional(),
}
export const filterShape = z.strictObject(filterInput)

export const deliveryShape = z.object({
  id: z.string(),
  channel: z.enum(channels),
  endpoint: z.object({ id: z.string(), url: z.string().nullable() }).nullable(),
  status: z.enum(statuses),
  tries: z.number(),
  nextAttemptAt: instant.nullable(),
  finishedAt: instant.nullable(),
  reason: z.string().nullable(),
  explanation: z.string().nullable(),
})

export const notificationItem = z.object({
  id: z.string(),
  app: z.object({ id: z.string(), name: z.string() }),
  type: z.string(),
  user: z.string(),
  userId: z.string().nullable(),
  title: z.string(),
  body: z.string(),
  source: z.enum(['api', 'system', 'test']),
  createdAt: instant,
  status: z.enum([...statuses, 'none']).describe('The one that needs most attention among its deliveries'),
  deliveries: z.array(deliveryShape),
})
export type NotificationItem = z.infer<typeof notificationItem>

export const attemptShape = z.object({
  number: z.number(),
  at: instant,
  outcome: z.string(),
  status: z.number().nullable(),
  explanation: z.string(),
  error: z.string().nullable(),
  durationMs: z.number(),
  timings: z
    .record(z.string(), z.number().nullable())
    .nullable()
    .describe('Milliseconds: dns, connect, tls, firstByte'),
  address: z.string().nullable(),
  request: z
    .object({
      method: z.literal('POST'),
      url: z.string(),
      headers: z.record(z.string(), z.string()),
      body: z.string().describe('The bytes of this try'),
      signedContent: z.string().describe('What the signature is computed over'),
    })
    .nullable(),
  logoutToken: z
    .object({
      header: z.record(z.string(), z.unknown()),
      claims: z.record(z.string(), z.unknown()),
      checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    })
    .nullable()
    .describe('The logout token of this try, taken apart and judged as its receiver has to'),
  response: z
    .object({ headers: z.record(z.string(), z.string()), body: z.string(), truncated: z.boolean() })
    .nullable(),
})
