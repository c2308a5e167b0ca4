/// <reference lib="dom" />
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { setTheme } from './browser.ts'

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * What is wrong with the page as it stands: axe's findings at each width, in dark those on colours, for nothing else changes with the theme; and
 * sideways scrolling (WCAG 1.4.10).
 */
export async function audit(page: Page, widths: number[]): Promise<string[]> {
  const faults = new Set<string>()
  const { height } = page.viewportSize()!
  for (const width of widths) {
    if (widths.length > 1) await page.setViewportSize({ width, height })
    for (const fault of await violations(axe(page).withTags(tags))) faults.add(`light ${width}: ${fault}`)
    await setTheme(page, 'dark')
    for (const fault of await violations(axe(page).withRules('color-contrast'))) faults.add(`dark ${width}: ${fault}`)
    await setTheme(page, 'light')
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (sideways > 0) faults.add(`${width}: ${sideways} px wider than the window`)
  }
  return [...faults]
}

// The console has no frames, so axe need not open a page of its own to join their findings.
const axe = (page: Page) =>
  new AxeBuilder({ page }).setLegacyMode(true).options({ preload: false, resultTypes: ['violations'] })

async function violations(builder: AxeBuilder): Promise<string[]> {
  const { violations } = await builder.analyze()
  return violations.flatMap((violation) =>
    violation.nodes.map(
      (node) => `${violation.id}: ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`,
    ),
  )
}
