import { mkdirSync } from 'node:fs'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeApps } from '../../server/demo/apps.ts'
import { createClient } from '../../server/demo/client.ts'
import { demoRoutes } from '../../server/demo/routes.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { audit } from './audit.ts'
import { still, useBrowser, visit, type Visit } from './browser.ts'

const browser = useBrowser()
let server: TestServer

beforeAll(async () => {
  server = await startServer({ keep: true, more: demoRoutes, now: new Date() })
  await makeApps(createClient(server.url), bearer(await operatorToken(server)))
})
afterAll(() => server.stop())

async function openDemo(phone = false, hash = '') {
  const window = await visit(browser(), server, { phone })
  await window.page.goto(`/demo${hash}`)
  await window.page.locator('option').first().waitFor({ state: 'attached' })
  const device = (name: string) => window.page.getByRole('region', { name, exact: true })
  return { ...window, first: device('First device'), second: device('Second device') }
}

/** Pictures for human eyes, where LOOK names a folder. */
async function picture(page: Page, name: string, width: number): Promise<void> {
  const folder = process.env['LOOK']
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.setViewportSize({ ...page.viewportSize()!, width })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: `${folder}/demo-${name}-${colorScheme}.png`, fullPage: true })
  }
}

const heightOf = (part: Locator) => part.evaluate((it) => it.getBoundingClientRect().height)

/** axe in light and in dark, and sideways scrolling. */
async function faultsOf({ page, complaints }: Visit, widths: number[]): Promise<string[]> {
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await still(page)
    found.push(...(await audit(page, widths)).map((fault) => `${colorScheme}: ${fault}`))
  }
  return [...found, ...complaints.splice(0)]
}

test.each([
  ['wide', false, [1440, 800]],
  ['phone', true, [390, 320]],
] as const)(
  'two devices, one session (%s): the first is told why, at once and on its next call',
  async (name, phone, widths) => {
    const window = await openDemo(phone)
    const { page, first, second } = window
    await picture(page, `${name}-out`, widths[0])
    expect(await faultsOf(window, [...widths])).toEqual([])
    const height = await heightOf(first)

    // With the keyboard alone.
    await first.getByRole('button', { name: 'Sign in with Telegram' }).press('Enter')
    await first.getByText('Signed in', { exact: true }).waitFor()
    expect(
      await first.getByRole('button', { name: 'Check session' }).evaluate((it) => it === document.activeElement),
    ).toBe(true)
    await first.getByRole('button', { name: 'Check session' }).click()
    await first.getByText(/The session is alive/).waitFor()
    await first.getByRole('button', { name: 'Refresh token' }).click()
    await first.getByText('The access token is new.').waitFor()
    await first.getByRole('button', { name: 'My sessions' }).click()
    await first.getByText(/^1 live: this one in Chrome on Linux/).waitFor()

    await page.getByRole('button', { name: 'Send a notification' }).click()
    await first.getByText('0.45976983 ONE has been received from Alex').waitFor()
    await picture(page, `${name}-in`, widths[0])

    await second.getByRole('button', { name: 'Sign in with Telegram' }).click()
    await first.getByText('Ended').waitFor()
    const story = first.getByRole('status')
    expect(await story.textContent()).toMatch(
      /^You signed in somewhere else.*sign in again\.The other sign-in: \d.*, in Chrome on Linux\.$/,
    )
    await second.getByText('The session on the other device was ended.').waitFor()
    await first.getByRole('button', { name: 'Call again' }).click()
    await first.getByText('Answered 401, limit_exceeded.').waitFor()
    const log = page.getByRole('region', { name: 'Calls' })
    await log.locator('summary').first().press('Enter')
    await log
      .getByText(/"reason": "limit_exceeded"/)
      .first()
      .waitFor()
    await picture(page, `${name}-over`, widths[0])
    expect(await faultsOf(window, [...widths])).toEqual([])
    expect(await heightOf(first), 'nothing jumps').toBe(height)

    const lines = await log.getByRole('listitem').locator('summary').allTextContents()
    expect(lines[0]).toMatch(/^1GET \/v1\/session401\d+ ms$/)
    expect(lines.some((line) => /^1GET \/v1\/session\/events200closed$/.test(line))).toBe(true)
    expect(lines.some((line) => /^2GET \/v1\/session\/events200open$/.test(line))).toBe(true)
    // No token stands on the page in full.
    const written = await page.evaluate(() => document.documentElement.textContent)
    expect(written).not.toMatch(/eyJ[\w-]{20,}|gh_rt_[\w-]{20,}|hash=[0-9a-f]{64}/)

    await second.getByRole('button', { name: 'Log out' }).click()
    await second.getByText('You signed out; sign in again.').waitFor()
    await first.getByRole('button', { name: 'Sign in again' }).click()
    await first.getByText('Signed in.').waitFor()
    expect(window.complaints).toEqual([])
    await window.close()
  },
)

test('what Telegram says in the address signs in, and nobody needs to be chosen', async () => {
  const answer = await fetch(`${server.url}/demo/init-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ person: 71_000_003 }),
  })
  const { initData } = (await answer.json()) as { initData: string }
  const { page, first, close } = await openDemo(false, `#${new URLSearchParams({ tgWebAppData: initData }).toString()}`)
  await expect.poll(() => page.getByLabel('Sample person').isDisabled()).toBe(true)
  await first.getByRole('button', { name: 'Sign in with Telegram' }).click()
  await first.getByText('Кирилл Орлов').waitFor()
  await close()
})

test('a token that runs out is renewed by itself, and the session goes on', async () => {
  const { page, first, close } = await openDemo()
  await page.getByLabel('Sample person').selectOption('Tiago Ramos')
  await first.getByRole('button', { name: 'Sign in with Telegram' }).click()
  await first.getByText('Signed in.').waitFor()
  // From when it is open on, nothing is lost on the way from one token to the next.
  await page.getByText(/^1GET \/v1\/me\/notifications\/stream200open$/).waitFor()
  server.clock.pass(1_801)
  await first.getByText('The access token is new.').waitFor()
  await page.getByRole('button', { name: 'Send a notification' }).click()
  await first.getByRole('listitem').first().waitFor({ timeout: 10_000 })
  await close()
})
