/// <reference lib="dom" />
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { addressOf, drawn, useBrowser, visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation, type Populated } from './installation.ts'

const browser = useBrowser()
let populated: Populated
let cookie: { name: string; value: string }

beforeAll(async () => {
  const server = await startInstallation()
  populated = await populate(server)
  cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
}, 120_000)
afterAll(() => populated.server.stop())

async function open(path: string, phone = false): Promise<Page> {
  const window = await visit(browser(), populated.server, { cookie, phone, patience: 15_000 })
  onTestFinished(async () => {
    await window.close()
    expect(window.complaints).toEqual([])
  })
  await window.open(path)
  return window.page
}

const query = (page: Page) => new URL(page.url()).searchParams
const press = async (page: Page, ...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key)
}

/** Goes with Tab until what is named has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let n = 0; n < 120; n++) {
    await page.keyboard.press('Tab')
    const label = await page.evaluate(
      () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
    )
    if (name.test(label.trim())) return
  }
  throw new Error(`Tab never came to ${name}`)
}

test.each(['/', '/traffic'])('on %s a range is drawn over the chart by keys alone, and let go', async (path) => {
  const page = await open(path)
  const chart = path === '/' ? /^Sign-ins, moment/ : /^Tries to sign in, moment/
  await tabTo(page, chart)
  const brush = page.getByRole('slider', { name: chart })
  // The whole is told first, then the moment that one goes to.
  expect(await brush.getAttribute('aria-valuetext')).toMatch(/last 24 h/)
  await press(page, 'End', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft')
  expect(await brush.getAttribute('aria-valuetext')).toMatch(/^\d\d-\d\d \d\d:00 · /)
  expect(await brush.getAttribute('aria-valuenow')).toBe('21')
  await press(page, 'Shift+ArrowLeft', 'Shift+ArrowLeft')
  expect(await brush.getAttribute('aria-valuetext')).toMatch(/^\d\d-\d\d \d\d:00 to \d\d-\d\d \d\d:00 drawn/)
  await press(page, 'Escape')
  expect(await brush.getAttribute('aria-valuetext')).toMatch(/last 24 h/)
  expect(query(page).get('from')).toBe(null)

  await press(page, 'ArrowLeft', 'PageDown', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Enter')
  await page.waitForURL(/from=/)
  await drawn(page)
  const [from, to] = ['from', 'to'].map((name) => Date.parse(query(page).get(name)!))
  expect(to! - from!).toBe(3 * 3_600_000 - 1_000)
  expect(query(page).get('range')).toBe(null)
  // The range is drawn in minutes now, and the way back is a preset, by keys too.
  await page.waitForFunction(() => Number(document.querySelector('[role=slider]')?.getAttribute('aria-valuemax')) > 100)
  await page.locator('body').click({ position: { x: 1, y: 1 } })
  await tabTo(page, /^(1 h|24 h|7 d)$/)
})

test('a range is drawn over the chart by hand', async () => {
  const page = await open('/')
  const box = (await page.getByRole('slider', { name: /^Mails, moment/ }).boundingBox())!
  const at = (hour: number) => [box.x + (box.width * (hour + 0.5)) / 25, box.y + box.height / 2] as const
  await page.mouse.move(...at(10))
  await page.mouse.down()
  await page.mouse.move(...at(12))
  await page.mouse.move(...at(13))
  await page.mouse.up()
  await page.waitForURL(/from=/)
  const [from, to] = ['from', 'to'].map((name) => Date.parse(query(page).get(name)!))
  expect(to! - from!).toBe(4 * 3_600_000 - 1_000)
})

test('behind every chart there is a table with the same figures', async () => {
  const page = await open('/')
  const charts = page.getByRole('slider')
  const many = await charts.count()
  expect(many).toBe(5)
  const totals: number[] = []
  for (const name of ['Sign-ins', 'Failed and stopped', 'Deliveries', 'Mails', 'Time of public calls']) {
    const section = page.getByRole('region', { name, exact: true })
    await section.getByText('Table', { exact: true }).click()
    await drawn(page)
    const rows = section.getByRole('table', { name }).getByRole('row')
    expect(await rows.count(), name).toBe(26)
    const cells = await section.locator('tbody td:nth-child(2)').allTextContents()
    totals.push(cells.reduce((sum, text) => sum + (Number(text.replace(/[^\d.]/g, '')) || 0), 0))
  }
  const figure = await page.getByRole('link', { name: /^Sign-ins \d/ }).textContent()
  expect(totals[0]).toBe(Number(/\d+/.exec(figure!)![0]))
})

test('each figure leads to its list with the range that it was counted in', async () => {
  const page = await open('/?range=7d')
  const links = await page
    .getByRole('main')
    .locator('ul.panel a')
    .evaluateAll((all) =>
      all.map((one) => [one.querySelector('span')!.textContent, one.getAttribute('href')!] as const),
    )
  const ranges = Object.fromEntries(
    links.map(([label, href]) => {
      const { searchParams } = new URL(href, 'http://localhost')
      return [label, ['created', 'ended', 'when', 'range'].map((name) => searchParams.get(name)).find(Boolean) ?? null]
    }),
  )
  expect(ranges).toEqual({
    // What is now has no range.
    'Live sessions': null,
    Users: null,
    'New users': '7d',
    'Sign-ins': '7d',
    Failed: '7d',
    Stopped: '7d',
    Ended: '7d',
    Evicted: '7d',
    'Webhooks taken': '7d',
    'Mails sent': '7d',
    'Calls, p50 · p99': '7d',
    'Revocation, p50 · p99': '7d',
  })
})

test.each([
  ['Mails sent', '/emails', 'Written'],
  ['New users', '/users', 'Created'],
  ['Ended', '/sessions', undefined],
  ['Webhooks taken', '/notifications', undefined],
] as const)('%s: a range that was drawn goes along, and the list holds to it', async (label, path, select) => {
  const { server } = populated
  const now = server.clock.now.getTime()
  const at = (hours: number) => new Date(now + hours * 3_600_000).toISOString()
  const page = await open(`/?from=${at(-30)}&to=${at(-29)}`)
  await page
    .getByRole('link', { name: new RegExp(`^${label}`) })
    .first()
    .click()
  await page.waitForURL((url) => url.pathname.endsWith(path))
  await drawn(page)
  expect(addressOf(page)).toContain(encodeURIComponent(`${at(-30)}/${at(-29)}`))
  if (select) expect(await page.getByLabel(select, { exact: true }).inputValue()).toBe(`${at(-30)}/${at(-29)}`)
  // Nothing happened yet, thirty hours ago.
  expect(await page.locator('tbody [data-row]').count()).toBe(0)
  await page.goto(`/console${path}`)
  await drawn(page)
  expect(await page.locator('tbody [data-row]').count()).toBeGreaterThan(0)
})

test('on a phone the chart is drawn on by keys as well, and nothing is wider than the window', async () => {
  const page = await open('/', true)
  await page.getByRole('slider', { name: /^Sign-ins/ }).focus()
  await press(page, 'Home', 'Shift+ArrowRight', 'Enter')
  await page.waitForURL(/from=/)
  await drawn(page)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
})
