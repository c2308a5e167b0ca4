import type { DeviceKind } from '#server/origin/device.ts'

/** Programs by what they write into their user agent; the first that fits, because most also claim to be others. */
const programs: [RegExp, string][] = [
  [/Telegram-(Android|iOS)\/([\d.]+)/, 'Telegram $1 $2'],
  [/Telegram ?Desktop\/?([\d.]*)/, 'Telegram Desktop $1'],
  [/Tonkeeper[^\d]*([\d.]+)/i, 'Tonkeeper $1'],
  [/MyTonWallet[^\d]*([\d.]+)/i, 'MyTonWallet $1'],
  [/Edg\w*\/(\d+)/, 'Edge $1'],
  [/OPR\/(\d+)/, 'Opera $1'],
  [/YaBrowser\/(\d+)/, 'Yandex Browser $1'],
  [/SamsungBrowser\/(\d+)/, 'Samsung Internet $1'],
  [/Firefox\/(\d+)/, 'Firefox $1'],
  [/FxiOS\/(\d+)/, 'Firefox $1'],
  [/(?:Headless)?Chrome\/(\d+)/, 'Chrome $1'],
  [/CriOS\/(\d+)/, 'Chrome $1'],
  [/Version\/(\d+)[\d.]* .*Safari/, 'Safari $1'],
  [/AppleWebKit/, 'A web view'],
  [/^([\w-]+)(?:\/(\d+(?:\.\d+)?)|$)/, '$1 $2'],
]
const systems: [RegExp, string][] = [
  [/Windows/, 'Windows'],
  [/iPhone|iPad|iOS/, 'iOS'],
  [/Android/, 'Android'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux|X11/, 'Linux'],
]

/** A user agent in the words of people: "Telegram iOS 12.1", "Chrome 156 on macOS". What is not understood stays as it is. */
export function deviceOf(userAgent: string | null): string {
  if (!userAgent) return 'Unknown device'
  const program = programs.find(([pattern]) => pattern.test(userAgent))
  if (!program) return userAgent
  const name = pick(userAgent, program)
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1]
  return system && !name.includes(system) && userAgent.startsWith('Mozilla/') ? `${name} on ${system}` : name
}

const pick = (text: string, [pattern, form]: [RegExp, string]) =>
  form.replace(/\$(\d)/g, (_, place: string) => pattern.exec(text)?.[Number(place)] ?? '').trim()

/** A sentence that quotes a user agent, with the agent in the words of people. */
export const readable = (text: string): string =>
  text.replace(/(Mozilla\/.+|\w+\/[\d.]+.*)$/, (agent) => deviceOf(agent))

const kindWords: Record<DeviceKind, string> = {
  telegram_ios: 'Telegram on iOS',
  telegram_android: 'Telegram on Android',
  telegram_desktop: 'Telegram on a desktop',
  ios: 'iPhone or iPad',
  android: 'Android',
  windows: 'Windows',
  macos: 'Mac',
  linux: 'Linux',
  bot: 'Bot',
  script: 'Script',
  other: 'Another device',
  unknown: 'Unknown device',
}
export const deviceKinds = Object.keys(kindWords) as DeviceKind[]

/** A kind of device in the words of people; what an older Gatehouse has counted by other names stays as it is. */
export const kindWord = (kind: string): string => kindWords[kind as DeviceKind] ?? kind
