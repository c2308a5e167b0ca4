/// <reference lib="dom" />
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { setTheme, type Theme } from './browser.ts'

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const themes: Theme[] = ['light', 'dark']

/** What is wrong with the page as it stands: axe's findings in both themes at each width, and sideways scrolling (WCAG 1.4.10). */
export async function audit(page: Page, widths: number[]): Promise<string[]> {
  const faults = new Set<string>()
  const { height } = page.viewportSize()!
  for (const width of widths) {
    if (widths.length > 1) await page.setViewportSize({ width, height })
    for (const theme of themes) {
      await setTheme(page, theme)
      for (const fault of await violations(page)) faults.add(`${theme} ${width}: ${fault}`)
    }
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (sideways > 0) faults.add(`${width}: ${sideways} px wider than the window`)
  }
  return [...faults]
}

async function violations(page: Page): Promise<string[]> {
  // The console has no frames, so axe need not open a page of its own to join their findings.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).withTags(tags).analyze()
  return violations.flatMap((violation) =>
    violation.nodes.map(
      (node) => `${violation.id}: ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`,
    ),
  )
}
