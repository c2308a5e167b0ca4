import { expect, test } from 'vitest'
import { wayBack } from '../web/src/lib/wayBack.ts'

const origin = 'https://auth.example.com'
const home = '/console/'

test('a sign-in leads back to the page that was wanted', () => {
  for (const page of ['/console', '/console/', '/console/users?status=blocked', '/console?x=1', '/console/apps/app_1'])
    expect(wayBack(page, home)).toBe(page)
})

const heads = [
  '',
  '/',
  '//',
  '///',
  '/\\',
  '\\\\',
  '/\t/',
  '/\n/',
  '\t//',
  '/%09/',
  '/.//',
  '/..//',
  'https:',
  'https://',
  'javascript:',
  'data:text/html,',
]
const targets = [
  'evil.example.com',
  'auth.example.com@evil.example.com',
  'auth.example.com.evil.example.com',
  'evil.example.com/console',
]
const disguises = [
  '/console@evil.example.com',
  '/consolevil',
  '/console//evil.example.com',
  '/console/..//evil.example.com',
  '/console/../../evil',
  '/console/\\evil.example.com',
  '/console/\t/evil.example.com',
  '/console:x@evil.example.com',
  '/Console/',
  '/%63onsole/',
  'console/',
  ' /console/',
]

test('nothing that somebody puts into the address bar leads elsewhere, or out of the console', () => {
  const payloads = [
    ...heads.flatMap((head) => targets.map((target) => head + target)),
    ...heads.flatMap((head) => targets.map((target) => `${head}${target}/console/`)),
    ...heads.flatMap((head) => targets.map((target) => `/console${head}${target}`)),
    ...disguises,
  ]
  expect(payloads.length).toBeGreaterThan(200)
  for (const payload of payloads) {
    const url = new URL(wayBack(payload, home), `${origin}/console/sign-in`)
    expect([payload, url.origin]).toEqual([payload, origin])
    expect(url.pathname, payload).toMatch(/^\/console(\/(?!\/)|$)/)
  }
})
