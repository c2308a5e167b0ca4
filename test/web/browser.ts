/// <reference lib="dom" />
import chromium from '@sparticuz/chromium'
import { chromium as playwright, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import type { TestServer } from '../support/server.ts'

export type Theme = 'light' | 'dark'

// In one process the whole browser ends with the first page that closes; and the console must stand normal web security.
const unwanted = [
  '--single-process',
  '--no-zygote',
  '--disable-web-security',
  '--allow-running-insecure-content',
  "--headless='shell'",
]

export async function launch(): Promise<Browser> {
  // Pages of text need no 3D, which costs a processor here.
  chromium.setGraphicsMode = false
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [
      ...chromium.args.filter((one) => !unwanted.includes(one)),
      '--no-sandbox',
      '--disable-background-networking',
    ],
  })
}

/** One browser for all tests of a file. */
export function useBrowser(): () => Browser {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())
  return () => browser
}

export type Visit = {
  page: Page
  /** What the browser complained about: script errors, refused content. Answers of 4xx are the server's business. */
  complaints: string[]
  /** Goes to an address of the console and waits until its data is drawn. */
  open(path: string): Promise<void>
  /** Goes to another address by a link, as one does within the console: it is drawn by what is loaded already. */
  follow(path: string): Promise<void>
  close(): Promise<void>
}

type Options = { cookie?: { name: string; value: string } | undefined; phone?: boolean; patience?: number }

/** One window of an operator. */
export async function visit(browser: Browser, server: TestServer, options: Options = {}): Promise<Visit> {
  const { cookie, phone = false } = options
  const context = await browser.newContext({
    baseURL: server.url,
    viewport: phone ? { width: 390, height: 844 } : { width: 1440, height: 900 },
    hasTouch: phone,
    isMobile: phone,
    reducedMotion: 'reduce',
  })
  const { hostname } = new URL(server.url)
  if (cookie) await context.addCookies([{ ...cookie, domain: hostname, path: '/', secure: true, httpOnly: true }])
  const page = await context.newPage()
  page.setDefaultTimeout(options.patience ?? 5_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() !== 'error' || /the server responded with a status of 4/.test(message.text())) return
    complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return {
    page,
    complaints,
    open: (path) => open(page, path),
    follow: (path) => follow(page, path),
    close: () => context.close(),
  }
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(`/console${path}`)
  await drawn(page)
}

async function follow(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => {
    const link = document.body.appendChild(document.createElement('a'))
    link.href = href
    link.click()
    link.remove()
  }, `/console${path}`)
  await page.waitForURL(() => addressOf(page) === `/console${path}`)
  await drawn(page)
}

/** Waits until nothing is loading and nothing moves. */
export async function drawn(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor({ state: 'attached' })
  await page.waitForFunction(() => !document.querySelector('[data-skeleton], [aria-busy="true"]'))
  await page.evaluate(async () => void (await document.fonts.ready))
  await still(page)
}

/** Brings what moves or fades to its end, and what begins because of that: where a colour is inherited, one transition's end is the next one's start. */
export const still = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const moving = () => {
      // What depends on the size of a container gets its style, and so its transitions, with the layout only.
      document.body.getBoundingClientRect()
      return document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity)
    }
    for (let rounds = 0, all = moving(); all.length > 0 && rounds < 50; rounds++, all = moving())
      for (const animation of all) animation.finish()
  })

export const themeOf = (page: Page): Promise<Theme> =>
  page.evaluate(() => (localStorage.getItem('gatehouse.theme') === 'dark' ? 'dark' : 'light'))

/** Changes the theme as the operator's menu does, and waits until the colours are there. */
export async function setTheme(page: Page, theme: Theme): Promise<void> {
  await page.evaluate(async (theme) => {
    localStorage.setItem('gatehouse.theme', theme)
    dispatchEvent(new StorageEvent('storage'))
    // The page answers in its own time.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  }, theme)
  await still(page)
}

/** The real address bar of the console, without its origin. */
export const addressOf = (page: Page): string => page.url().slice(new URL(page.url()).origin.length)
