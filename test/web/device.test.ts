import { expect, test } from 'vitest'
import { deviceOf, readable } from '../../web/src/lib/device.ts'
import { devices } from './installation.ts'

const safari =
  'Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'
const edge =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.3595.53'
const webView =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148'

test.each([
  [devices.ios, 'Telegram iOS 12.1'],
  [devices.android, 'Telegram Android 12.2.1'],
  [devices.mac, 'Chrome 143 on macOS'],
  [devices.windows, 'Firefox 145 on Windows'],
  [safari, 'Safari 18 on iOS'],
  [edge, 'Edge 142 on Windows'],
  [webView, 'A web view on iOS'],
  ['Tonkeeper/5.3.1 (iOS)', 'Tonkeeper 5.3.1'],
  ['curl/8.11.0', 'curl 8.11'],
  ['node', 'node'],
  ['$1 (what?)', '$1 (what?)'],
  ['', 'Unknown device'],
  [null, 'Unknown device'],
])('%s is %s', (userAgent, words) => expect(deviceOf(userAgent)).toBe(words))

test('an agent inside a sentence is put into words, the sentence stays', () => {
  expect(readable(`new sign-in on ${devices.mac}`)).toBe('new sign-in on Chrome 143 on macOS')
  expect(readable('new sign-in on an unknown device')).toBe('new sign-in on an unknown device')
  expect(readable('by ada@example.com')).toBe('by ada@example.com')
})
