import type { Random } from './random.ts'

/** Where somebody is sitting: what their browser calls itself, their address, and the country that a proxy would know of it. */
export type Device = { userAgent: string; ip: string; country?: string }

const webkit = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
const chromium = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const android = (system: number, model: string, chrome: number, telegram: string, sdk: number) =>
  `Mozilla/5.0 (Linux; Android ${system}; ${model}; wv) ${chromium} Version/4.0 Chrome/${chrome}.0.0.0 Mobile Safari/537.36 ` +
  `Telegram-Android/${telegram} (${model}; Android ${system}; SDK ${sdk}; HIGH)`

/** Telegram's web views on iOS, Android and the desktop, and Telegram Web in browsers. */
const userAgents = [
  `Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) ${webkit} Mobile/15E148 Telegram-iOS/12.1`,
  `Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) ${webkit} Mobile/15E148 Telegram-iOS/12.2.1`,
  `Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) ${webkit} Mobile/15E148 Telegram-iOS/12.1`,
  android(15, 'Google Pixel 9', 142, '12.1.1', 35),
  android(14, 'Samsung SM-S921B', 141, '12.0.4', 34),
  android(13, 'Xiaomi 2201117TY', 138, '11.14.1', 33),
  android(16, 'OnePlus CPH2653', 142, '12.1.1', 36),
  `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chromium} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0 TelegramDesktop/6.2`,
  `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Telegram-macOS/12.1`,
  `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Version/26.1 Safari/605.1.15`,
  `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chromium} Chrome/142.0.0.0 Safari/537.36`,
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
]

/** Networks that belong to nobody: for documentation (RFC 5737, RFC 3849), behind carriers (RFC 6598), for benchmarks (RFC 2544). */
const networks: ((random: Random) => string)[] = [
  (random) => `203.0.113.${1 + random.int(254)}`,
  (random) => `198.51.100.${1 + random.int(254)}`,
  (random) => `192.0.2.${1 + random.int(254)}`,
  (random) => `100.${64 + random.int(64)}.${random.int(256)}.${1 + random.int(254)}`,
  (random) => `198.${18 + random.int(2)}.${random.int(256)}.${1 + random.int(254)}`,
  (random) => `2001:db8:${random.int(4096).toString(16)}:${random.int(65_536).toString(16)}::${1 + random.int(9)}`,
]

/** Where the demo's people live; XX is how proxies say that they do not know. */
const countries =
  'JP ES NG UA VN DK AE KR IN BR RU IT TR SG DE FR GH ID GR PK PL IL CZ MX US HU NZ UZ NO ZA GB XX'.split(' ')

export const newDevice = (random: Random): Device => ({
  userAgent: random.pick(userAgents),
  ip: random.pick(networks)(random),
  country: random.pick(countries),
})

/** The header in which visitors say their country, as a proxy in front would. */
export const COUNTRY_HEADER = 'x-demo-country'
