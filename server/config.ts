import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import * as z from 'zod'

/** A setting that stops the start: one line that names the variable, the fault and an example. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const optional = z
  .string()
  .optional()
  .transform((value) => value?.trim() || undefined)

/** An address that calls go to, or that stands in links: a user name and a password in it would be shown and logged. */
function httpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password
}

const HTTP_URL = 'is not an http or https URL without user name and password'

/** What goes into a header as it is. */
const headerValue = optional.refine((value) => value === undefined || /^[\x21-\x7e]+$/.test(value), {
  message: 'holds a character that no header may hold',
})

/** An address, or a name as DNS has them; whether it is one of this machine only listening tells. */
const isHost = (text: string) => isIP(text) !== 0 || /^(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*$/.test(text)

const isNetwork = (text: string) => {
  const [address, prefix, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  if (!version || rest.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
}

const networks = optional
  .transform((value) => value?.split(/[\s,]+/).filter(Boolean) ?? [])
  .refine((list) => list.every(isNetwork), {
    message: 'is not a list of addresses or CIDR networks',
  })

const variables = {
  PORT: optional
    .refine((value) => value === undefined || (/^\d{1,5}$/.test(value) && Number(value) <= 65_535), {
      message: 'is not a port number',
    })
    .transform((value) => Number(value ?? 3000)),
  HOST: optional
    .refine((value) => value === undefined || isHost(value), { message: 'is not an address or a host name' })
    .transform((value) => value ?? '127.0.0.1'),
  GATEHOUSE_DATA_DIR: optional.transform((value) => value ?? './data'),
  DATABASE_URL: optional.refine((value) => value === undefined || isDatabase(value), {
    message: 'is neither file:… nor postgres://…',
  }),
  GATEHOUSE_SECRET_KEY: optional.refine((value) => value === undefined || isKey(value), {
    message: 'is not 32 bytes in base64',
  }),
  GATEHOUSE_PUBLIC_URL: optional
    .refine((value) => value === undefined || (httpUrl(value) && !/[?#]/.test(value)), {
      message: HTTP_URL,
      abort: true,
    })
    .refine((value) => value === undefined || /^\/+$/.test(new URL(value).pathname), {
      message: 'has a path, but everything is served from the root of a host',
    }),
  GATEHOUSE_TRUST_PROXY: networks,
  GATEHOUSE_ALLOW_NETWORKS: networks,
  GATEHOUSE_COUNTRY_HEADER: optional.refine((value) => value === undefined || /^[A-Za-z0-9-]{1,64}$/.test(value), {
    message: 'is not the name of an HTTP header',
  }),
  GATEHOUSE_GEO_DATABASE: optional,
  SMTP_URL: optional.refine((value) => value === undefined || (/^smtps?:\/\/./.test(value) && URL.canParse(value)), {
    message: 'is not an smtp:// or smtps:// URL',
  }),
  SMTP_RETURN_PATH: optional.refine(
    (value) => value === undefined || /^[^\s@<>,;:"()[\]\\]+@[a-z0-9.-]+\.[a-z0-9-]+$/i.test(value),
    {
      message: 'is not a mail address',
    },
  ),
  SMTP_DKIM_DOMAIN: optional,
  SMTP_DKIM_SELECTOR: optional,
  SMTP_DKIM_KEY: optional.refine((value) => value === undefined || isPrivateKey(value), {
    message: 'is not a private key in PEM',
  }),
  TON_API_URL: optional.refine((value) => value === undefined || httpUrl(value), {
    message: HTTP_URL,
  }),
  TON_API_KEY: headerValue,
  TON_TESTNET_API_URL: optional.refine((value) => value === undefined || httpUrl(value), {
    message: HTTP_URL,
  }),
  TON_TESTNET_API_KEY: headerValue,
  TON_API_RATE: optional.refine((value) => value === undefined || (Number(value) > 0 && Number(value) <= 10_000), {
    message: 'is not a number of calls a second',
  }),
  TON_SYMBOL: optional.refine((value) => value === undefined || /^[A-Za-z]{1,10}$/.test(value), {
    message: 'is not a currency symbol',
  }),
  TELEGRAM_API_URL: optional.refine((value) => value === undefined || httpUrl(value), {
    message: HTTP_URL,
  }),
  TELEGRAM_OAUTH_URL: optional.refine((value) => value === undefined || httpUrl(value), {
    message: HTTP_URL,
  }),
  GATEHOUSE_RATE_LIMITS: z.enum(['on', 'off'], 'is neither on nor off').default('on'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'is not a log level')
    .default('info'),
  GATEHOUSE_ENV: z.enum(['production', 'development'], 'is neither production nor development').default('production'),
}

const examples: Record<keyof typeof variables, string> = {
  PORT: '3000',
  HOST: '127.0.0.1',
  GATEHOUSE_DATA_DIR: './data',
  DATABASE_URL: 'postgres://gatehouse:password@db.example:5432/gatehouse',
  GATEHOUSE_SECRET_KEY: 'the output of: openssl rand -base64 32',
  GATEHOUSE_PUBLIC_URL: 'https://auth.example.com',
  GATEHOUSE_TRUST_PROXY: '10.0.0.0/8',
  GATEHOUSE_ALLOW_NETWORKS: '10.20.0.0/16',
  GATEHOUSE_COUNTRY_HEADER: 'CF-IPCountry',
  GATEHOUSE_GEO_DATABASE: '/var/lib/geo/country.mmdb',
  SMTP_URL: 'smtps://user:password@mail.example.com:465',
  SMTP_RETURN_PATH: 'bounces@example.com',
  SMTP_DKIM_DOMAIN: 'example.com',
  SMTP_DKIM_SELECTOR: 'gatehouse',
  SMTP_DKIM_KEY: 'the content of the PEM file (or SMTP_DKIM_KEY_FILE=/run/secrets/dkim.pem)',
  TON_API_URL: 'https://toncenter.com/api/v3',
  TON_API_KEY: 'the key of the TON API',
  TON_TESTNET_API_URL: 'https://testnet.toncenter.com/api/v3',
  TON_TESTNET_API_KEY: 'the key of the TON API for testnet',
  TON_API_RATE: '10',
  TON_SYMBOL: 'TON',
  TELEGRAM_API_URL: 'https://api.telegram.org',
  TELEGRAM_OAUTH_URL: 'https://oauth.telegram.org',
  GATEHOUSE_RATE_LIMITS: 'on',
  LOG_LEVEL: 'info',
  GATEHOUSE_ENV: 'production',
}

export type Config = {
  readonly port: number
  readonly host: string
  readonly dataDir: string
  readonly databaseUrl: string
  /** 32 bytes, or undefined when it has to be read from (or made in) the data directory. */
  readonly secretKey: Buffer | undefined
  /** Issuer and base of links, without a trailing slash; undefined until the port is known when none was given. */
  readonly publicUrl: string
  readonly trustProxy: readonly string[]
  readonly allowNetworks: readonly string[]
  /** The header, in lower case, in which a trusted proxy says the country of an address. */
  readonly countryHeader: string | undefined
  /** A file in MaxMind's format, or `off`; undefined is the table that comes along. */
  readonly geoDatabase: string | undefined
  readonly smtpUrl: string | undefined
  /** Where mail servers send what they could not deliver, instead of to the sender. */
  readonly smtpReturnPath: string | undefined
  /** Signs what goes out over SMTP; the public half stands in DNS. */
  readonly dkim: { domainName: string; keySelector: string; privateKey: string } | undefined
  readonly tonApi: { url: string; key: string | undefined } | undefined
  /** Where testnet has an API of its own. */
  readonly tonTestnetApi: { url: string; key: string | undefined } | undefined
  /** Calls a second to the TON API at the most; undefined leaves it to what is known of the API. */
  readonly tonApiRate: number | undefined
  /** What the chain's own currency is called. */
  readonly tonSymbol: string
  readonly telegramApiUrl: string
  /** Issuer of Telegram's OpenID Connect. */
  readonly telegramOauthUrl: string
  readonly rateLimits: boolean
  readonly logLevel: string
  readonly development: boolean
}

/**
 * Reads the settings once, at start. A name ending in _FILE names a file that holds the value (a mounted secret).
 * @throws ConfigError in one line that names the variable, its fault and an example; never the value of a secret.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const parsed = z.object(variables).safeParse(withFiles(env))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    const name = String(issue.path[0]) as keyof typeof variables
    throw new ConfigError(`${name} ${issue.message}; for example ${name}=${examples[name]}`)
  }
  const values = parsed.data
  return Object.freeze({
    port: values.PORT,
    host: values.HOST,
    dataDir: values.GATEHOUSE_DATA_DIR,
    databaseUrl: values.DATABASE_URL ?? `file:${values.GATEHOUSE_DATA_DIR}/gatehouse.db`,
    secretKey: values.GATEHOUSE_SECRET_KEY ? Buffer.from(values.GATEHOUSE_SECRET_KEY, 'base64') : undefined,
    publicUrl: (values.GATEHOUSE_PUBLIC_URL ?? `http://localhost:${values.PORT}`).replace(/\/+$/, ''),
    trustProxy: values.GATEHOUSE_TRUST_PROXY,
    allowNetworks: values.GATEHOUSE_ALLOW_NETWORKS,
    countryHeader: values.GATEHOUSE_COUNTRY_HEADER?.toLowerCase(),
    geoDatabase: values.GATEHOUSE_GEO_DATABASE,
    smtpUrl: values.SMTP_URL,
    smtpReturnPath: values.SMTP_RETURN_PATH,
    dkim: dkimOf(values),
    tonApi: apiOf(values.TON_API_URL, values.TON_API_KEY),
    tonTestnetApi: apiOf(values.TON_TESTNET_API_URL, values.TON_TESTNET_API_KEY),
    tonApiRate: values.TON_API_RATE === undefined ? undefined : Number(values.TON_API_RATE),
    tonSymbol: values.TON_SYMBOL ?? 'TON',
    telegramApiUrl: (values.TELEGRAM_API_URL ?? 'https://api.telegram.org').replace(/\/+$/, ''),
    telegramOauthUrl: (values.TELEGRAM_OAUTH_URL ?? 'https://oauth.telegram.org').replace(/\/+$/, ''),
    rateLimits: values.GATEHOUSE_RATE_LIMITS === 'on',
    logLevel: values.LOG_LEVEL,
    development: values.GATEHOUSE_ENV === 'development',
  })
}

/** toncenter itself is often given without its path. */
function apiOf(url: string | undefined, key: string | undefined) {
  if (!url) return undefined
  // Clients of v2 are given the address of its JSON-RPC, which stands beside the calls that are made here.
  const plain = url.replace(/\/+$/, '').replace(/\/jsonRPC$/, '')
  return { url: /^https:\/\/(testnet\.)?toncenter\.com$/.test(plain) ? `${plain}/api/v3` : plain, key }
}

function withFiles(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const values: Record<string, string | undefined> = {}
  for (const name of Object.keys(variables)) {
    const file = env[`${name}_FILE`]
    try {
      // An empty variable counts as not set, as it does for every tool that reads an .env file.
      values[name] = (file ? readFileSync(file, 'utf8').trim() : env[name]) || undefined
    } catch {
      throw new ConfigError(
        `${name}_FILE names a file that cannot be read; for example ${name}_FILE=/run/secrets/${name.toLowerCase()}`,
      )
    }
  }
  return values
}

function dkimOf(values: Record<`SMTP_DKIM_${'DOMAIN' | 'SELECTOR' | 'KEY'}`, string | undefined>): Config['dkim'] {
  const { SMTP_DKIM_DOMAIN: domainName, SMTP_DKIM_SELECTOR: keySelector, SMTP_DKIM_KEY: privateKey } = values
  if (domainName && keySelector && privateKey) return { domainName, keySelector, privateKey }
  const missing = Object.entries(values).find(([name, value]) => name.startsWith('SMTP_DKIM_') && !value)
  if (!domainName && !keySelector && !privateKey) return undefined
  throw new ConfigError(
    `${missing![0]} is not set, but the others of SMTP_DKIM_… are; for example ${missing![0]}=${examples[missing![0] as keyof typeof variables]}`,
  )
}

const isDatabase = (text: string) => (/^postgres(ql)?:\/\/./.test(text) ? URL.canParse(text) : /^file:./.test(text))

function isPrivateKey(text: string): boolean {
  try {
    createPrivateKey(text)
    return true
  } catch {
    return false
  }
}

function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text) && Buffer.from(text, 'base64').length === 32
}
