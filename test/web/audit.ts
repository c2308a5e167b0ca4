/// <reference lib="dom" />
import type { Page } from 'playwright-core'
import { violationsOf } from './axe.ts'
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
    for (const fault of await faultsOf(page, { tags })) faults.add(`light ${width}: ${fault}`)
    await setTheme(page, 'dark')
    for (const fault of await faultsOf(page, { rules: ['color-contrast'] })) faults.add(`dark ${width}: ${fault}`)
    await setTheme(page, 'light')
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (sideways > 0) faults.add(`${width}: ${sideways} px wider than the window`)
  }
  return [...faults]
}

async function faultsOf(page: Page, only: Parameters<typeof violationsOf>[1]): Promise<string[]> {
  return (await violationsOf(page, only)).flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`),
  )
}
