/// <reference lib="dom" />
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { call, type TestServer } from '../support/server.ts'
import { botToken, person } from '../support/telegram.ts'
import { audit } from './audit.ts'
import { addressOf, drawn, setTheme, useBrowser, visit, type Visit } from './browser.ts'
import { addOperator, devices, signIn, signInOperator, startInstallation } from './installation.ts'

const browser = useBrowser()
let server: TestServer
let app: App
let cookie: { name: string; value: string }

beforeAll(async () => {
  server = await startInstallation()
  app = await server.createApp({ name: 'Places', telegram: { botToken } })
  // Germany, Brazil, Nigeria, somewhere, South Korea, an island with a long name, and Germany again.
  const agents = Object.values(devices)
  for (let n = 0; n < 7; n++) await signIn(server, app, person(6000 + n), agents[n % agents.length])
  cookie = await signInOperator(server, await addOperator(server, 'owner'))
})
afterAll(() => server.stop())

/** For human eyes: LOOK=/tmp/look leaves pictures there. */
async function look({ page }: Visit, name: string): Promise<void> {
  const folder = process.env['LOOK']
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  for (const theme of ['light', 'dark'] as const) {
    await setTheme(page, theme)
    await page.screenshot({ path: `${folder}/${name}.${theme}.png` })
  }
}

test('sessions are narrowed to a kind of device and a country, and a session tells of both', async () => {
  const window = await visit(browser(), server, { cookie, patience: 15_000 })
  const { page } = window
  await window.open('/sessions')
  await look(window, 'sessions')
  await page.getByLabel('Country').selectOption({ label: 'Germany' })
  await page.getByText('2 matches', { exact: true }).waitFor()
  expect(addressOf(page)).toBe('/console/sessions?country=DE')
  await page.getByLabel('Device', { exact: true }).selectOption({ label: 'Telegram on Android' })
  await page.getByText('1 match', { exact: true }).waitFor()
  const filters = page.getByRole('list', { name: 'Active filters' })
  await filters.getByText('Germany').waitFor()
  await filters.getByText('Telegram on Android').waitFor()

  await drawn(page)
  await page.getByRole('link', { name: 'person6000' }).click()
  const drawer = page.getByRole('complementary', { name: 'Session' })
  const shown = async (fact: string) => drawer.locator(`dt:text-is("${fact}") + dd`).first().innerText()
  await drawer.getByText('Why it lives').waitFor()
  expect(await shown('Country')).toBe('Germany')
  expect(await shown('Kind of device')).toBe('Telegram on Android')
  expect(await shown('Browser')).toBe('Chrome WebView 143')
  expect(await shown('System')).toBe('Android 15')
  expect(await shown('Model')).toBe('Google Pixel 9')
  await drawn(page)
  await look(window, 'session')
  expect(await audit(page, [1440])).toEqual([])

  await filters.getByLabel('Remove filter Telegram on Android').click()
  await page.getByText('2 matches', { exact: true }).waitFor()
  await page.getByLabel('Country').selectOption({ label: 'Unknown country' })
  await page.getByText('1 match', { exact: true }).waitFor()
  expect(window.complaints).toEqual([])
  await window.close()
}, 90_000)

test('a bulk revocation keeps to the country on screen', async () => {
  const window = await visit(browser(), server, { cookie, patience: 15_000 })
  const { page } = window
  await window.open('/sessions?country=BR')
  await page.getByText('1 match', { exact: true }).waitFor()
  await page.getByLabel('Select all on this page').click()
  await page.getByRole('button', { name: 'Revoke 1 session' }).click()
  await page.getByText('1 session revoked').waitFor()
  await window.open('/sessions?status=ended')
  await page.getByText('1 match', { exact: true }).waitFor()
  await page.getByTitle('Brazil').waitFor()
  await window.close()
}, 90_000)

test('on a phone the filters are there too, and nothing scrolls sideways', async () => {
  const window = await visit(browser(), server, { cookie, phone: true, patience: 15_000 })
  await window.open('/sessions?country=GS')
  await window.page.getByText('1 match', { exact: true }).waitFor()
  await look(window, 'sessions.phone')
  const { scroll, width } = await window.page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth,
    width: innerWidth,
  }))
  expect(scroll).toBe(width)
  await window.open('/keys')
  await look(window, 'keys.phone')
  await window.close()
}, 90_000)

test('a key says whose tokens it signed; one that verifiers may not know yet asks why, and a retired key can be deleted', async () => {
  const window = await visit(browser(), server, { cookie, patience: 15_000 })
  const { page } = window
  await window.open('/keys')
  await page.getByText('6 sessions hold a live token it signed; the last expires').waitFor()
  await page.getByRole('button', { name: 'Rotate…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('6 sessions hold a live token it signed; all of them stay valid').waitFor()
  await dialog.getByRole('button', { name: 'Rotate keys' }).click()
  await page.getByText('Keys rotated').waitFor()
  await drawn(page)
  await look(window, 'keys')
  expect(await audit(page, [1440])).toEqual([])

  // The next key is new: whoever goes on has to say why.
  await page.getByRole('button', { name: 'Rotate…' }).click()
  const anyway = dialog.getByRole('button', { name: 'Rotate all the same' })
  expect(await anyway.isDisabled()).toBe(true)
  await dialog.getByLabel('Why it cannot wait').fill('the key leaked')
  await look(window, 'keys-early')
  await anyway.click()
  await dialog.waitFor({ state: 'detached' })

  await page
    .getByRole('button', { name: /^Delete key/ })
    .last()
    .click()
  await dialog.getByText('These tokens stop working at once').waitFor()
  await dialog.getByText('6 sessions hold a live token it signed').waitFor()
  expect(await audit(page, [1440])).toEqual([])
  await look(window, 'keys-delete')
  await dialog.getByRole('button', { name: 'Delete key' }).click()
  await page.getByText('Key deleted; tokens of 6 sessions stopped working').waitFor()
  const { body } = await call(server, 'GET', '/.well-known/jwks.json')
  expect(body['keys']).toHaveLength(3)
  expect(window.complaints).toEqual([])
  await window.close()
}, 90_000)
