/// <reference lib="dom" />
import { mkdirSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { builtin } from '../../server/email/builtin.ts'
import { kinds, locales, type Locale, type MailKind } from '../../server/email/kinds.ts'
import { render } from '../../server/email/render.ts'
import { dataSets, sampleValues, type DataSet } from '../../server/email/sample.ts'
import { branding } from '../support/mail.ts'
import { violationsOf } from './axe.ts'
import { useBrowser } from './browser.ts'

// The mails themselves, as a mail program shows them. LOOK=/tmp/mails makes pictures of them for human eyes:
// LOOK=/tmp/mails npx vitest run --config test/vitest.config.ts --project web test/web/mails.test.ts

const folder = process.env['LOOK']
const browser = useBrowser()
const widths = { desktop: 800, phone: 390 }
const schemes = ['light', 'dark'] as const
const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="#0064bf"/><path d="M10 12h20L20 31z" fill="#fff"/></svg>`
let page: Page

beforeAll(async () => {
  page = await browser().newPage({ reducedMotion: 'reduce' })
  await page.route('https://cdn.example.com/**', (route) => route.fulfill({ contentType: 'image/svg+xml', body: logo }))
  if (folder) mkdirSync(folder, { recursive: true })
})
afterAll(() => page.close())

function mailOf(kind: MailKind, locale: Locale, look: { set?: DataSet; primaryColor?: string } = {}): string {
  const { set, primaryColor = branding.primaryColor } = look
  const app = { name: 'TON Quest', settings: { branding: { ...branding, primaryColor } } } as App
  const at = new Date('2026-06-01T12:00:00Z')
  return render(builtin(kind, locale), sampleValues(app, kind, locale, at, set)).html
}

/** What is wrong with a mail at a width, in light and in dark. */
async function faultsOf(html: string, width: number, name?: string): Promise<string[]> {
  const faults: string[] = []
  await page.setViewportSize({ width, height: 900 })
  await page.setContent(html)
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wider > 0) faults.push(`${wider} px wider than the window`)
  for (const scheme of schemes) {
    await page.emulateMedia({ colorScheme: scheme })
    // Which elements there are is the same in both.
    const only = scheme === 'light' ? { tags: ['wcag2a', 'wcag2aa', 'wcag21aa'] } : { rules: ['color-contrast'] }
    const violations = await violationsOf(page, only)
    for (const { id, nodes } of violations)
      faults.push(`${scheme} ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
    if (name) await page.screenshot({ path: `${folder}/${name}-${scheme}.png`, fullPage: true })
  }
  return faults
}

test.each(kinds)(
  'the mail %s fits a phone and can be read in light and dark, in every language',
  async (kind) => {
    const found: Record<string, string[]> = {}
    for (const locale of locales)
      for (const [screen, width] of Object.entries(widths)) {
        // On a wide screen one language is as good as another.
        if (screen === 'desktop' && locale !== 'en') continue
        const seen = folder && (locale === 'en' || (screen === 'phone' && locales.indexOf(locale) >= 1))
        const name = `${kind}-${locale}-${screen}`
        const faults = await faultsOf(mailOf(kind, locale), width, seen ? name : undefined)
        if (faults.length > 0) found[name] = faults
      }
    expect(found).toEqual({})
  },
  240_000,
)

test.each(dataSets)(
  'so it is whatever people are called: %s',
  async (set) => {
    for (const kind of kinds) {
      const name = folder && set !== 'sample' ? `${kind}-${set}-phone` : undefined
      expect(await faultsOf(mailOf(kind, 'ru', { set }), 320, name)).toEqual([])
    }
  },
  120_000,
)

test.each(['#ffcc00', '#ffffff', '#000000', '#7ed957', '#ff5c8a', '#9cc2ff'])(
  'so it is in the colour %s',
  async (primaryColor) => {
    const name = folder && `colour-${primaryColor.slice(1)}`
    const html = mailOf('verification_code_link_account', 'en', { primaryColor })
    expect(await faultsOf(html, 600, name || undefined)).toEqual([])
  },
  60_000,
)
