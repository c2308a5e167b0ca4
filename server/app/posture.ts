import type { App } from './app.ts'
import { defaultSettings, type AppPatch } from './settings.ts'

/** A setting that is weaker than what RFC 9700 or OWASP ASVS 5 ask for. */
export type Weakness = {
  id: string
  severity: 'high' | 'medium' | 'low'
  title: string
  /** Where the rule stands. */
  rule: string
  /** What may happen. */
  risk: string
  /** What the safer value breaks or asks for, if anything. */
  cost: string | null
  /** The safer value in words, and as the change of settings that sets it; null where only a person can know it. */
  safer: { label: string; patch: AppPatch } | null
  /** The tab of the console where it is set. */
  tab: string
}

type Rule = Omit<Weakness, 'safer'> & { safer: (app: App) => Weakness['safer'] | undefined }

const { sessionPolicy, rateLimits } = defaultSettings
const DAY = 86_400

/** Undefined while the setting is fine. */
const rules: Rule[] = [
  {
    id: 'refresh_reuse',
    severity: 'high',
    title: 'Refresh tokens may be used without limit',
    rule: 'RFC 9700 §4.14.2 · ASVS 5.0 10.4.5',
    risk: 'A stolen refresh token gives access until it expires, and nobody notices that two use it.',
    cost: 'Clients have to keep the new refresh token of every answer.',
    safer: ({
      settings: {
        sessionPolicy: { refreshRotation },
      },
    }) =>
      refreshRotation ? undefined : { label: 'Turn rotation on', patch: { sessionPolicy: { refreshRotation: true } } },
    tab: 'policy',
  },
  {
    id: 'no_audience',
    severity: 'medium',
    title: 'Tokens are not bound to a backend of yours',
    rule: 'RFC 9700 §2.3 · ASVS 5.0 9.2.3',
    risk: 'Without an audience ID the tokens name the app itself, so each backend of it accepts tokens meant for another.',
    cost: 'Every backend has to expect its audience ID.',
    safer: ({ settings }) => (settings.audiences.length > 0 ? undefined : null),
    tab: 'audiences',
  },
  {
    id: 'long_access_token',
    severity: 'medium',
    title: 'Access tokens live longer than an hour',
    rule: 'RFC 9700 §2.2 · ASVS 5.0 9.2.1',
    risk: 'Whoever verifies tokens offline accepts a stolen one for as long.',
    cost: null,
    safer: ({ settings }) =>
      settings.sessionPolicy.accessTokenTtl <= 3600
        ? undefined
        : { label: '30 minutes', patch: { sessionPolicy: { accessTokenTtl: sessionPolicy.accessTokenTtl } } },
    tab: 'policy',
  },
  {
    id: 'long_idle',
    severity: 'medium',
    title: 'A session may lie unused for more than a week',
    rule: 'ASVS 5.0 7.3.1',
    risk: 'Forgotten devices stay signed in.',
    cost: 'Sessions idle for longer end at once.',
    safer: ({ settings }) =>
      settings.sessionPolicy.idleTimeout <= 7 * DAY
        ? undefined
        : { label: '7 days', patch: { sessionPolicy: { idleTimeout: 7 * DAY } } },
    tab: 'policy',
  },
  {
    id: 'long_session',
    severity: 'medium',
    title: 'A session may last for more than 30 days',
    rule: 'ASVS 5.0 7.3.2, 10.4.8',
    risk: 'A stolen session lives on as long as it is used.',
    cost: null,
    safer: ({ settings }) =>
      settings.sessionPolicy.absoluteTimeout <= 30 * DAY
        ? undefined
        : { label: '30 days', patch: { sessionPolicy: { absoluteTimeout: 30 * DAY } } },
    tab: 'policy',
  },
  {
    id: 'many_sessions',
    severity: 'low',
    title: 'More than five sessions of one person at a time',
    rule: 'ASVS 5.0 7.1.2',
    risk: 'A thief’s session is one of many, and signing in again does not end it.',
    cost: 'Sessions beyond the limit end at once, those idle the longest first.',
    safer: ({ settings }) =>
      settings.sessionPolicy.maxConcurrentSessions <= 5
        ? undefined
        : { label: 'Five', patch: { sessionPolicy: { maxConcurrentSessions: 5 } } },
    tab: 'policy',
  },
  {
    id: 'old_init_data',
    severity: 'medium',
    title: 'Telegram sign-in data older than a day is accepted',
    rule: 'RFC 9700 §4.2.4 · Telegram Mini Apps, “Validating data”',
    risk: 'Sign-in data that leaks, into a log for instance, can be used for as long.',
    cost: null,
    safer: ({ settings }) =>
      settings.telegram.maxAge <= DAY ? undefined : { label: '24 hours', patch: { telegram: { maxAge: DAY } } },
    tab: 'telegram',
  },
  {
    id: 'plain_origin',
    severity: 'high',
    title: 'Pages without https may call the auth API',
    rule: 'ASVS 5.0 12.2.1',
    risk: 'Anybody on the way can change such a page and take its tokens.',
    cost: 'Those pages can no longer sign in.',
    safer({ settings }) {
      const secure = settings.allowedOrigins.filter((origin) => !isPlain(origin))
      if (secure.length === settings.allowedOrigins.length) return undefined
      return { label: 'Remove them', patch: { allowedOrigins: secure } }
    },
    tab: 'network',
  },
  {
    id: 'plain_token_info',
    severity: 'high',
    title: 'The tokenInfoURL is called without https',
    rule: 'ASVS 5.0 12.3.1',
    risk: 'Users’ tokens and your secret headers travel in the clear, and a forged answer signs anybody in.',
    cost: 'The server has to answer under https.',
    safer({ settings }) {
      const { tokenInfoUrl: url } = settings.sso
      if (!url || !isPlain(url)) return undefined
      return { label: 'Call it by https', patch: { sso: { tokenInfoUrl: url.replace(/^http:/, 'https:') } } }
    },
    tab: 'sso',
  },
  {
    id: 'token_in_url',
    severity: 'medium',
    title: 'The token stands in the tokenInfoURL’s address',
    rule: 'RFC 6750 §5.3 · RFC 9700 §4.3.2 · ASVS 5.0 14.2.1',
    risk: 'Addresses are written to access logs, and with them your users’ tokens.',
    cost: 'Your server has to read the token from the Authorization header.',
    safer: ({ settings, secrets }) =>
      !settings.sso.tokenInfoUrl || !settings.sso.tokenIn.startsWith('query:')
        ? undefined
        : secrets.ssoHeaders?.['authorization'] === undefined
          ? { label: 'Send it as bearer', patch: { sso: { tokenIn: 'bearer' } } }
          : null,
    tab: 'sso',
  },
  {
    id: 'open_token_info',
    severity: 'low',
    title: 'The tokenInfoURL is called without a secret of its own',
    rule: 'ASVS 5.0 13.2.1',
    risk: 'Unless it lets in our address only, anybody can ask it whether a token holds.',
    cost: 'Your server has to check the header.',
    safer: ({ settings, secrets }) =>
      settings.sso.tokenInfoUrl && Object.keys(secrets.ssoHeaders ?? {}).length === 0 ? null : undefined,
    tab: 'sso',
  },
  {
    id: 'wide_skew',
    severity: 'low',
    title: 'The tokenInfoURL’s clock may be off by more than a minute',
    rule: 'ASVS 5.0 9.2.1',
    risk: 'Tokens are accepted for that much longer than they say.',
    cost: null,
    safer: ({ settings }) =>
      settings.sso.clockSkew <= 60 ? undefined : { label: '30 seconds', patch: { sso: { clockSkew: 30 } } },
    tab: 'sso',
  },
  {
    id: 'unsaid_email',
    severity: 'medium',
    title: 'E-mail addresses count as verified unless the tokenInfoURL says that they are not',
    rule: 'OpenID Connect Core §5.7 · ASVS 5.0 6.4.4',
    risk: 'If your system lets people in before they confirmed their address, a stranger’s account can wait under somebody’s address until they link it.',
    cost: 'Your server has to answer email_verified; without it nobody gets a code to link an account.',
    safer: ({ settings: { sso } }) =>
      !sso.tokenInfoUrl || sso.requireEmailVerified
        ? undefined
        : { label: 'Ask for email_verified', patch: { sso: { requireEmailVerified: true } } },
    tab: 'sso',
  },
  {
    id: 'loose_limits',
    severity: 'medium',
    title: 'One address may try to sign in more than 200 times a second',
    rule: 'ASVS 5.0 2.4.1, 6.3.1',
    risk: 'Limits that wide stop no machine.',
    cost: null,
    safer: ({ settings }) =>
      settings.rateLimits.signInPerAddress <= 12_000
        ? undefined
        : { label: '1,200 a minute', patch: { rateLimits: { signInPerAddress: rateLimits.signInPerAddress } } },
    tab: 'network',
  },
]

/** How many rules an app's settings are held against. */
export const RULES = rules.length

/** Every setting of an app that is weaker than the rules ask for, the worst first. */
export function weaknessesOf(app: App): Weakness[] {
  const order = ['high', 'medium', 'low']
  return rules
    .flatMap((rule) => {
      const safer = rule.safer(app)
      return safer === undefined ? [] : [{ ...rule, safer }]
    })
    .sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}

/** Plain http that leaves the machine. */
function isPlain(text: string): boolean {
  const { protocol, hostname } = new URL(text)
  return protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}
