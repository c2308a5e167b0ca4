import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Profile } from '#server/identity/proof.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { signIn, type Login } from '#server/session/signIn.ts'
import { botKeys, type BotKeys } from './botKeys.ts'
import { verifyIdToken } from './idToken.ts'
import { verifyInitData } from './initData.ts'
import { verifyLoginWidget } from './loginWidget.ts'
import { insertUsedProof } from './store.ts'

const forms = {
  initData: z.strictObject({ initData: z.string().min(1).max(4096) }),
  loginWidget: z.strictObject({
    loginWidget: z.record(z.string().max(64), z.union([z.string().max(4096), z.number()])),
  }),
  idToken: z.strictObject({ idToken: z.string().min(1).max(8192), nonce: z.string().min(1).max(255).optional() }),
}
export type TelegramLoginInput = z.infer<(typeof forms)[keyof typeof forms]>

const none = z.never('must hold exactly one of initData, loginWidget and idToken')

/** Exactly one of Telegram's three proofs, in the form of the one that was sent. */
export function telegramLoginInput(input: unknown): z.ZodType<TelegramLoginInput> {
  const sent = Object.keys(forms).filter((name) => Object.hasOwn(Object(input), name)) as (keyof typeof forms)[]
  return sent.length === 1 ? forms[sent[0]!] : none
}

type Checked = {
  id: string
  profile: Profile
  details: Record<string, string | boolean>
  once: { hash: string; until: Date }
}

/**
 * Signs a person in by what Telegram says of them; an account is made on the first time.
 * @throws AppError invalid_request, invalid_signature, login_expired, user_blocked, session_limit_reached
 */
export async function telegramLogin(
  runtime: Runtime,
  app: App,
  input: TelegramLoginInput,
  origin: Origin,
): Promise<Login> {
  const now = runtime.now()
  const keys = keysOf(app)
  const checked =
    'idToken' in input ? await checkIdToken(runtime, keys, input, now) : checkSigned(app, keys, input, now)
  await runtime.limits.account(app, `telegram ${checked.id}`)
  return signIn(runtime, {
    app,
    origin,
    proof: { kind: 'telegram', subject: checked.id, profile: checked.profile, details: checked.details },
    ...(app.settings.telegram.singleUse && {
      consume: async (tx) => {
        const proofHash = runtime.vault.hash(checked.once.hash, 'used_proofs')
        const first = await insertUsedProof(tx, { appId: app.id, proofHash, expiresAt: checked.once.until })
        if (!first) throw new AppError('login_expired', 'This login was used already; open the app again')
      },
    }),
  })
}

const keysByApp = new WeakMap<App, BotKeys>()

function keysOf(app: App): BotKeys {
  const known = keysByApp.get(app)
  if (known) return known
  const { botToken } = app.secrets
  if (!botToken)
    throw new AppError('invalid_request', 'This app has no bot token yet; an operator can set it in the console')
  const keys = botKeys(botToken, { environment: app.settings.telegram.testEnvironment ? 'test' : 'production' })
  keysByApp.set(app, keys)
  return keys
}

function checkSigned(
  app: App,
  keys: BotKeys,
  input: Exclude<TelegramLoginInput, { idToken: string }>,
  now: Date,
): Checked {
  const { maxAge } = app.settings.telegram
  const { user, authDate, hash } =
    'initData' in input
      ? verifyInitData(input.initData, keys, now, maxAge)
      : verifyLoginWidget(input.loginWidget, keys, now, maxAge)
  const profile = {
    name: [user.firstName, user.lastName].filter(Boolean).join(' '),
    ...(user.username && { username: user.username }),
    ...(user.languageCode && { language: user.languageCode }),
    ...(user.photoUrl && { photoUrl: user.photoUrl }),
  }
  const details = user.allowsWriteToPm === undefined ? {} : { allowsWriteToPm: user.allowsWriteToPm }
  return { id: user.id, profile, details, once: { hash, until: new Date(authDate.getTime() + (maxAge + 120) * 1000) } }
}

async function checkIdToken(
  runtime: Runtime,
  keys: BotKeys,
  input: { idToken: string; nonce?: string | undefined },
  now: Date,
): Promise<Checked> {
  const identity = await verifyIdToken(input.idToken, {
    botId: keys.botId,
    jwks: telegramKeys(runtime),
    now,
    issuer: runtime.config.telegramOauthUrl,
    ...(input.nonce !== undefined && { nonce: input.nonce }),
  })
  const profile = {
    ...(identity.name && { name: identity.name }),
    ...(identity.username && { username: identity.username }),
    ...(identity.photoUrl && { photoUrl: identity.photoUrl }),
  }
  return {
    id: identity.id,
    profile,
    details: {},
    // What was signed, not the signature: one signature can be spelled in several ways, and ECDSA has two for each text.
    once: {
      hash: input.idToken.slice(0, input.idToken.lastIndexOf('.')),
      until: new Date(identity.expiresAt.getTime() + 120_000),
    },
  }
}

const keySets = new WeakMap<Runtime, JWTVerifyGetKey>()

/** Telegram's published keys, fetched when first needed, then cached and asked again for an unknown kid at most twice a minute. */
function telegramKeys(runtime: Runtime): JWTVerifyGetKey {
  const known = keySets.get(runtime)
  if (known) return known
  const url = new URL(`${runtime.config.telegramOauthUrl}/.well-known/jwks.json`)
  const keys = createRemoteJWKSet(url, {
    cooldownDuration: 30_000,
    [customFetch]: (url) => fetchKeys(runtime, url),
  })
  keySets.set(runtime, keys)
  return keys
}

async function fetchKeys(runtime: Runtime, url: string): Promise<Response> {
  const answer = await runtime.outbound.request({ url, timeoutMs: 3_000, maxBytes: 65_536, configured: true })
  if ('fault' in answer) throw new Error(answer.reason)
  return new Response(answer.body.toString(), { status: answer.status })
}
