import * as z from 'zod'
import { readSecret } from './sign.ts'

const url = z
  .string()
  .max(2_000)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    message: 'must be an http or https URL',
  })
  .refine((text) => !URL.canParse(text) || (!new URL(text).username && !new URL(text).password), {
    message: 'must not hold credentials; use a header',
  })
  .refine((text) => !text.includes('#'), { message: 'must not have a fragment' })
  // What is stored is what is called.
  .transform((text) => (URL.canParse(text) ? new URL(text).href : text))

const pattern = z.string().regex(/^(\*|[a-z0-9_]+(\.[A-Za-z0-9_]+)*(\.\*)?)$/, {
  message: 'must be an event type such as txn.sent, a group such as txn.*, or *',
})

/** Headers that are ours or the connection's. */
const RESERVED =
  /^(host|connection|content-length|content-type|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|webhook-.*|user-agent|x-gatehouse-.*)$/i

const headers = z
  .record(
    z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { message: 'must be a header name' })
      .refine((name) => !RESERVED.test(name), { message: 'is set by Gatehouse' }),
    // Printable ASCII only: a line break would begin another header.
    z
      .string()
      .max(2_000)
      .regex(/^[\x20-\x7e]*$/, { message: 'must be printable ASCII' }),
  )
  .refine((all) => Object.keys(all).length <= 20, { message: 'must be 20 at the most' })

const shape = z.strictObject({
  url,
  description: z.string().trim().max(200),
  types: z.array(pattern).min(1).max(100),
  payloadFormat: z
    .enum(['standard', 'extended', 'logout_token'])
    .describe('logout_token tells of ended sessions only, as OpenID Connect Back-Channel Logout says'),
  ordered: z.boolean().describe("One person's events one after the other"),
  ratePerSecond: z.number().int().min(1).max(10_000),
  concurrency: z.number().int().min(1).max(200),
  timeoutMs: z.number().int().min(1_000).max(30_000),
  headers: headers.describe('Sent with every event, kept encrypted, never shown again; all of them are replaced'),
  asymmetric: z.boolean().describe('Sign with a key pair too (v1a); its public half is at /.well-known/webhook-keys'),
})

/** A new endpoint: a URL, and whatever is not to be as the defaults are. */
export const newEndpoint = shape
  .partial()
  .required({ url: true })
  .extend({
    secret: z
      .string()
      .refine((text) => readSecret(text) !== undefined, { message: 'must be whsec_ and 24 to 64 bytes in base64' })
      .optional()
      .describe('A signing secret of your own; one is made otherwise'),
  })
export type NewEndpoint = z.infer<typeof newEndpoint>

/** A change of an endpoint; what is left out stays. */
export const endpointPatch = shape.partial().extend({
  state: z.enum(['active', 'paused']).optional(),
  sendHeld: z.boolean().optional().describe('When it is switched on: send what was held meanwhile'),
})
export type EndpointPatch = z.infer<typeof endpointPatch>

export const defaults = {
  description: '',
  types: ['*'],
  payloadFormat: 'standard' as NonNullable<z.infer<typeof shape>['payloadFormat']>,
  ordered: false,
  ratePerSecond: 50,
  concurrency: 10,
  timeoutMs: 15_000,
  headers: {} as Record<string, string>,
  asymmetric: false,
}
