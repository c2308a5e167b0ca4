import { isIP } from 'node:net'
import * as z from 'zod'
import type { FieldError } from '#server/error.ts'

/** Seconds; the least any lifetime may be is 2 (contract §4). */
const seconds = (most: number) => z.number().int().min(2).max(most)
const YEAR = 31_536_000

export const sessionPolicy = z.strictObject({
  maxConcurrentSessions: z.number().int().min(1).max(1000),
  limitPolicy: z.enum(['evict_oldest_idle', 'reject']),
  idleTimeout: seconds(YEAR),
  absoluteTimeout: seconds(YEAR),
  accessTokenTtl: seconds(86_400),
  refreshTokenTtl: seconds(YEAR),
  accessTokenFormat: z.enum(['jwt', 'opaque']),
  refreshRotation: z.boolean(),
})

/** What a browser sends as Origin: scheme, host and port only, lower case. Compared byte by byte, never as a pattern. */
const origin = z
  .string()
  .max(300)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    message: 'must be an origin such as https://app.example.com, without a path',
  })

/** A host with an optional port, as a wallet signs it in `ton_proof`. */
const domain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d{1,5})?$/, {
    message: 'must be a lower-case host such as app.example.com or localhost:5173',
  })

const network = z.string().refine(
  (text) => {
    const [address, prefix, more] = text.split('/')
    const version = isIP(address ?? '')
    if (version === 0 || more !== undefined) return false
    return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  },
  { message: 'must be an address or a CIDR network such as 203.0.113.0/24' },
)

const httpsUrl = z
  .string()
  .max(2000)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    message: 'must be an http or https URL',
  })

const line = (most: number) =>
  z
    .string()
    .max(most)
    // A line break in a sender's name would start a new mail header.
    .regex(/^[^\u0000-\u001f\u007f]*$/, { message: 'must be one line without control characters' })

/** A list whose order says nothing and that holds each value once; said twice is said. */
const listOf = <T extends z.ZodType>(item: T, most: number) =>
  z
    .array(item)
    .max(most)
    .overwrite((values) => [...new Set(values)])

/** Headers that would change whom we speak to or where a request ends. */
const RESERVED =
  /^(host|connection|keep-alive|transfer-encoding|content-length|content-type|te|trailer|upgrade|expect|proxy-.*)$/

/** Headers that go with a call out, by name; their values are secrets. */
const headerName = z
  .string()
  .toLowerCase()
  .regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, { message: 'must be the name of an HTTP header' })
  .refine((name) => !RESERVED.test(name), { message: 'is a header that is set by Gatehouse itself' })
const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, { message: 'must be one line of printable ASCII characters' })

const sso = z.strictObject({
  tokenInfoUrl: z
    .string()
    .max(2000)
    .refine(isCallable, { message: 'must be an http or https URL without user name, password and #' })
    .nullable(),
  method: z.enum(['GET', 'POST']),
  /** Where the token goes: the Authorization header, a query parameter, a form field or a JSON member. */
  tokenIn: z.string().regex(/^(bearer|(query|form|json):[A-Za-z0-9_.~-]{1,64})$/, {
    message: 'must be bearer, query:NAME, form:NAME or json:NAME',
  }),
  /** What `aud` of the app's own tokens must hold; while empty, the app's audience IDs. */
  audiences: listOf(line(255).min(1), 50),
  timeoutMs: z.number().int().min(100).max(10_000),
  /** Seconds the other server's clock may differ. */
  clockSkew: z.number().int().min(0).max(300),
  /** Whether an e-mail address counts as the person's only when `email_verified` is true; otherwise it does unless that is false. */
  requireEmailVerified: z.boolean().default(false),
})

const defaultSso: z.infer<typeof sso> = {
  tokenInfoUrl: null,
  method: 'GET',
  tokenIn: 'bearer',
  audiences: [],
  timeoutMs: 3000,
  clockSkew: 30,
  requireEmailVerified: false,
}

function isCallable(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password && !text.includes('#')
}

const perMinute = z.number().int().min(1).max(10_000_000)

export const claimNames = ['name', 'username', 'email', 'language', 'photoUrl'] as const
const claims = listOf(z.enum(claimNames), claimNames.length)

/** Masters that the app knows to be the jettons they are called, raw and in lower case. */
const jettons = listOf(
  z.string().regex(/^(0|-1):[0-9a-f]{64}$/, { message: "must be a jetton master's raw address in lower case (0:…)" }),
  200,
)

/** All of an app's settings but its secrets, as stored and as the management API answers them. */
export const appSettings = z.strictObject({
  audiences: listOf(line(255).min(1), 50),
  sessionPolicy,
  telegram: z.strictObject({
    maxAge: z.number().int().min(1).max(YEAR),
    singleUse: z.boolean(),
    testEnvironment: z.boolean(),
  }),
  ton: z.strictObject({
    domains: listOf(domain, 50),
    chains: listOf(z.enum(['-239', '-3']), 2),
    jettons: jettons.default([]),
    /** Whether linked wallets are followed, so that what they send and receive becomes events. */
    watch: z.boolean().default(false),
  }),
  // Apps made before there was such a setting have none stored.
  sso: sso.default(defaultSso),
  /** What of a person's profile the app asks for; the rest of what a login brings is never kept. */
  claims: claims.default([...claimNames]),
  allowedOrigins: listOf(origin, 100),
  ipAllowList: listOf(network, 500),
  branding: z.strictObject({
    appName: line(100).nullable(),
    logoUrl: httpsUrl.nullable(),
    supportEmail: z.email().max(254).nullable(),
    copyright: line(200).nullable(),
    primaryColor: z
      .string()
      .regex(/^#[0-9a-fA-F]{6}$/, { message: 'must be a colour such as #0064bf' })
      .nullable(),
  }),
  email: z.strictObject({
    senderName: line(100).nullable(),
    senderAddress: z.email().max(254).nullable(),
    locale: z.enum(['en', 'de', 'es', 'fr', 'pt-BR', 'ru', 'tr', 'zh-CN']),
  }),
  rewardName: line(50).trim().min(1),
  /** Over which channels people are told of their events, besides the app's own endpoints. */
  channels: z
    .strictObject({ inbox: z.boolean(), telegram: z.boolean(), email: z.boolean() })
    // Rows of before there were channels.
    .default({ inbox: true, telegram: false, email: false }),
  /** Points a minute: tries to sign in from one address, for one account, for the whole app, and all other calls from one address. */
  rateLimits: z.strictObject({
    signInPerAddress: perMinute,
    signInPerAccount: perMinute,
    signInPerApp: perMinute,
    callsPerAddress: perMinute,
  }),
})

export type AppSettings = z.infer<typeof appSettings>

export const defaultSettings: AppSettings = {
  audiences: [],
  sessionPolicy: {
    maxConcurrentSessions: 1,
    limitPolicy: 'evict_oldest_idle',
    idleTimeout: 604_800,
    absoluteTimeout: 2_592_000,
    accessTokenTtl: 1800,
    refreshTokenTtl: 604_800,
    accessTokenFormat: 'jwt',
    refreshRotation: false,
  },
  telegram: { maxAge: 86_400, singleUse: false, testEnvironment: false },
  ton: { domains: [], chains: ['-239', '-3'], jettons: [], watch: false },
  sso: defaultSso,
  claims: [...claimNames],
  allowedOrigins: [],
  ipAllowList: [],
  branding: { appName: null, logoUrl: null, supportEmail: null, copyright: null, primaryColor: null },
  email: { senderName: null, senderAddress: null, locale: 'en' },
  rewardName: 'TomoOne HP',
  channels: { inbox: true, telegram: false, email: false },
  rateLimits: { signInPerAddress: 1200, signInPerAccount: 600, signInPerApp: 120_000, callsPerAddress: 60_000 },
}

/** What is known of an app besides its settings and never answered again. */
export const appSecrets = z.strictObject({
  botToken: z.string().optional(),
  ssoHeaders: z.record(z.string(), z.string()).optional(),
})
export type AppSecrets = z.infer<typeof appSecrets>

const botToken = z
  .string()
  .regex(/^\d{1,16}:[\w-]{1,128}$/, { message: 'must be a bot token as BotFather gives it, such as 123456:ABC…' })

export const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, { message: 'must be 1 to 64 of a-z, 0-9 and inner hyphens' })
  .refine((text) => !text.startsWith('app_'), { message: 'must not look like an id' })

const {
  sessionPolicy: policyShape,
  telegram,
  ton,
  sso: _,
  branding,
  email,
  channels,
  rateLimits,
  ...flat
} = appSettings.shape

/** A change of an app: any part of it; what is left out stays as it is. `null` removes a secret. */
export const appPatch = z
  .strictObject({
    name: line(100).trim().min(1),
    slug,
    disabled: z.boolean(),
    ...flat,
    claims,
    sessionPolicy: policyShape.partial(),
    telegram: telegram.extend({ botToken: botToken.nullable() }).partial(),
    // Without defaults, which a change of another member would bring in.
    ton: ton.extend({ jettons, watch: z.boolean() }).partial(),
    sso: sso.extend({ headers: z.record(headerName, headerValue.nullable()) }).partial(),
    branding: branding.partial(),
    email: email.partial(),
    channels: channels.unwrap().partial(),
    rateLimits: rateLimits.partial(),
  })
  .partial()
export type AppPatch = z.infer<typeof appPatch>

/** A new app: a name, and whatever is not to be as the defaults are. */
export const newApp = appPatch.required({ name: true })
export type NewApp = z.infer<typeof newApp>

/** What no single setting can tell: faults of settings that do not go together. `policy` is what of the session policy is being set. */
export function clashes(
  settings: AppSettings,
  secrets: AppSecrets,
  policy: AppPatch['sessionPolicy'] = {},
): FieldError[] {
  const { method, tokenIn } = settings.sso
  const names = Object.keys(secrets.ssoHeaders ?? {})
  const faults: FieldError[] = []
  if (method === 'GET' && /^(form|json):/.test(tokenIn))
    faults.push({ path: 'sso.method', message: `must be POST to send the token as ${tokenIn}` })
  if (tokenIn === 'bearer' && names.includes('authorization'))
    faults.push({ path: 'sso.headers.authorization', message: 'is where the token goes; use another header' })
  // Only where it is being set: an app from before this was refused stays as it is, and can be changed otherwise.
  const { idleTimeout, absoluteTimeout } = settings.sessionPolicy
  if (policy.idleTimeout !== undefined && idleTimeout > absoluteTimeout)
    faults.push({
      path: 'sessionPolicy.idleTimeout',
      message: `must be at most sessionPolicy.absoluteTimeout (${absoluteTimeout}): no session is idle for longer than it lives`,
    })
  if (names.length > 20) faults.push({ path: 'sso.headers', message: 'must be at most 20' })
  return faults
}
