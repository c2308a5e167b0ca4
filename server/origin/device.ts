/** Kinds of devices and what their user agents hold, the first that fits; programs of Telegram before the systems they run on. */
const patterns = {
  telegram_ios: /Telegram-iOS|TelegramIOS/i,
  telegram_android: /Telegram-Android/i,
  telegram_desktop: /Telegram ?Desktop|Telegram-macOS|TDesktop/i,
  bot: /bot|crawl|spider/i,
  script: /curl|wget|python|go-http|node|axios|okhttp|java\/|libwww|undici/i,
  android: /Android/i,
  ios: /iPhone|iPad|iPod/i,
  windows: /Windows/i,
  macos: /Macintosh|Mac OS X/i,
  linux: /Linux|X11|CrOS/i,
}

/** The numbers under which the database keeps them: they stay what they are, and new kinds are added at the end. */
const kinds = [
  'telegram_ios',
  'telegram_android',
  'telegram_desktop',
  'ios',
  'android',
  'windows',
  'macos',
  'linux',
  'bot',
  'script',
  'other',
] as const

export const UNKNOWN = 'unknown'
export type DeviceKind = (typeof kinds)[number] | typeof UNKNOWN
export const deviceKinds = [...kinds, UNKNOWN] as const

/** The first of a kind in the database. */
const FIRST = 1
const MOST_KNOWN = 5_000
let known = new Map<string, DeviceKind>()

/** What kind of device a user agent says it is. It says what it likes; whoever says nothing is unknown. */
export function deviceOf(userAgent: string | null | undefined): DeviceKind {
  if (!userAgent) return UNKNOWN
  let device = known.get(userAgent)
  if (!device) {
    const found = Object.entries(patterns).find(([, pattern]) => pattern.test(userAgent))
    device = (found?.[0] as keyof typeof patterns | undefined) ?? 'other'
    if (known.size >= MOST_KNOWN) known = new Map()
    known.set(userAgent, device)
  }
  return device
}

/** A kind as the database keeps it; null is unknown. */
export function deviceNumber(kind: DeviceKind): number | null {
  return kind === UNKNOWN ? null : kinds.indexOf(kind) + FIRST
}

/** What the database keeps as a kind. A number of a newer Gatehouse is something else that is known. */
export function deviceKind(number: number | null): DeviceKind {
  return number === null ? UNKNOWN : (kinds[number - FIRST] ?? 'other')
}
