/// <reference lib="dom" />
import chromium from '@sparticuz/chromium'
import { chromium as playwright, type Browser, type Page } from 'playwright-core'
import type { Theme } from './pages.ts'

// In one process the whole browser ends with the first page that closes; and the console must stand normal web security.
const unwanted = [
  '--single-process',
  '--no-zygote',
  '--disable-web-security',
  '--allow-running-insecure-content',
  "--headless='shell'",
]

export const launch = async (): Promise<Browser> =>
  playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [
      ...chromium.args.filter((one) => !unwanted.includes(one)),
      '--no-sandbox',
      '--disable-background-networking',
    ],
  })

export type Visit = { page: Page; complaints: string[]; close(): Promise<void> }

/** One page as an operator would have it open, and everything the browser complains about meanwhile. */
export async function visit(
  browser: Browser,
  options: { theme?: Theme; width?: number; cookie?: { name: string; value: string; url: string } } = {},
): Promise<Visit> {
  const { theme = 'light', width = 1440, cookie } = options
  const context = await browser.newContext({
    viewport: { width, height: width < 768 ? 844 : 900 },
    hasTouch: width < 768,
    isMobile: width < 768,
    reducedMotion: 'reduce',
  })
  if (cookie) await context.addCookies([cookie])
  const page = await context.newPage()
  page.setDefaultTimeout(5000)
  await page.addInitScript((chosen) => localStorage.setItem('gatehouse.theme', chosen), theme)
  const complaints: string[] = []
  page.on(
    'console',
    (message) =>
      message.type() === 'error' &&
      !/the server responded with a status of 4/.test(message.text()) &&
      complaints.push(message.text()),
  )
  page.on('pageerror', (error) => complaints.push(error.message))
  return { page, complaints, close: () => context.close() }
}

/** Goes there and waits until the data is drawn. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address, { waitUntil: 'networkidle' })
  await page.locator('h1').first().waitFor()
  await page.evaluate(() => document.fonts.ready.then(() => true))
}
