import { expect, test } from 'vitest'
import { describeAgent } from '../../server/origin/agent.ts'
import { deviceKind, deviceKinds, deviceNumber, deviceOf } from '../../server/origin/device.ts'

const webkit = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
const chromium = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const wv = (model: string) =>
  `Mozilla/5.0 (Linux; Android 14; ${model}; wv) ${chromium} Version/4.0 Chrome/141.0.0.0 Mobile Safari/537.36 Telegram-Android/12.0.4 (${model}; Android 14; SDK 34; HIGH)`

test.each([
  [wv('Samsung SM-S921B'), 'telegram_android', ['Chrome WebView 141', 'Android 14', 'Samsung SM-S921B']],
  [
    `Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) ${webkit} Mobile/15E148 Telegram-iOS/12.1`,
    'telegram_ios',
    ['WebKit 605', 'iOS 18.5', 'Apple iPhone'],
  ],
  [
    `Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) ${webkit} Version/26.1 Mobile/15E148 Safari/604.1`,
    'ios',
    ['Mobile Safari 26', 'iOS 26.1', 'Apple iPhone'],
  ],
  [
    `Mozilla/5.0 (Linux; Android 13; 2201117TY) ${chromium} Chrome/138.0.0.0 Mobile Safari/537.36`,
    'android',
    ['Chrome 138', 'Android 13', 'Xiaomi 2201117TY'],
  ],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chromium} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0 TelegramDesktop/6.2`,
    'telegram_desktop',
    ['Edge 142', 'Windows 10', null],
  ],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chromium} Chrome/142.0.0.0 Safari/537.36`,
    'windows',
    ['Chrome 142', 'Windows 10', null],
  ],
  [
    `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Version/26.1 Safari/605.1.15`,
    'macos',
    ['Safari 26', 'macOS', 'Apple Mac'],
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0', 'linux', ['Firefox 144', 'Linux', null]],
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'bot', [null, null, null]],
  ['curl/8.5.0', 'script', [null, null, null]],
  ['Tonkeeper/4.2', 'other', [null, null, null]],
  ['', 'unknown', [null, null, null]],
])('%s is %s', async (userAgent, kind, [browser, os, model]) => {
  expect(deviceOf(userAgent)).toBe(kind)
  expect(await describeAgent(userAgent)).toEqual({ browser, os, model })
})

test('a kind is kept as a number and comes back, and numbers of a newer version are something else', () => {
  for (const kind of deviceKinds) expect(deviceKind(deviceNumber(kind))).toBe(kind)
  // What stands in databases already.
  expect(deviceKinds.map(deviceNumber)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, null])
  expect(deviceKind(99)).toBe('other')
})

test('a user agent of any kind is taken apart in no time', async () => {
  for (const text of [
    'x'.repeat(512),
    'Mozilla/5.0 ('.repeat(40),
    `${'a/1 '.repeat(128)}`,
    '('.repeat(512),
    '\u0000🦊"<script>',
  ]) {
    const began = performance.now()
    expect(deviceKinds).toContain(deviceOf(text))
    await describeAgent(text)
    expect(performance.now() - began).toBeLessThan(200)
  }
})
